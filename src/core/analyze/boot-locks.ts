// What VMs waited for while they booted: recorded waits laid over the boots of their rounds.
import type { BootRecord, BootRound } from "../event/boot.ts";
import type { Trace } from "../event/schema.ts";
import { type BootPhase, isReady, phasesOf, serviceNs } from "./boot-phases.ts";
import { type BootSetting, bySetting, type SettingGroup, settingOf } from "./boot-setting.ts";
import { nameLocks } from "./lock-names.ts";
import { kindOf } from "./lock-wait.ts";
import type { LockName, LockWaitRow } from "./result.ts";

/** A trace that was recorded during a round. */
export interface RoundTrace {
  /** Index into the rounds. */
  readonly round: number;
  readonly trace: Trace;
}

/** Waits of the VMs of one setting for locks, by lock. */
export interface BootLockPoint extends BootSetting {
  /** Rounds whose trace was used, and their boots that got ready. */
  readonly rounds: number;
  readonly boots: number;
  /** Mean time in service of these boots. */
  readonly meanMs: number;
  /** The most waited for first. */
  readonly locks: readonly BootLock[];
}

/** Waits for one lock, per boot. Locks of the heap that nothing names are one, called `unnamed`. */
export interface BootLock {
  /** Of several locks with this name, that which was waited for most. */
  readonly lock: LockName;
  readonly lockCount: number;
  readonly kind: LockWaitRow["kind"];
  readonly waits: number;
  /** All threads of the VMM together. */
  readonly waitMs: number;
  /** The part of waitMs that the recorder may have caused by walking call stacks. */
  readonly observerMs: number;
  /** The part that a boot had to sit through: waits of its vCPU threads, their mean where it has
   * several, and of the VMM's first thread before the vCPUs ran. */
  readonly bootMs: number;
  /** bootMs divided by the time in service. */
  readonly shareOfBoot: number;
  /** waitMs by the phase of the boot (see boot-phases.ts). */
  readonly phasesMs: Readonly<Record<string, number>>;
}

/** Lock waits that boots had to sit through, in ns. */
export interface BootLockTime {
  /** Of vCPU threads: a part of their CPU time, and none of it. */
  readonly spinNs: number;
  readonly sleepNs: number;
  /** Of the VMM's first thread before the vCPUs ran. */
  readonly setupNs: number;
}

/** What the VMs of one round that got ready waited for, all together. */
export interface RoundWaits extends BootSetting {
  readonly boots: number;
  readonly serviceNs: number;
  readonly locks: readonly LockSum[];
  /** Of those boots whose vCPU threads are known, and how many they are. */
  readonly time: BootLockTime;
  readonly timedBoots: number;
}

/** Waits for one lock in one round. */
interface LockSum {
  readonly lock: LockName;
  readonly kind: LockWaitRow["kind"];
  waits: number;
  waitNs: number;
  observerNs: number;
  satNs: number;
  readonly phasesNs: Map<string, number>;
}

/** QEMU's with `-name debug-threads=on`, Firecracker's, Cloud Hypervisor's. */
const VCPU_NAME = /^(CPU \d+\/\w+|ALL CPUs\/\w+|fc_vcpu \d+|vcpu\d+)$/;

/** Threads that run guest code, by their names; empty where names were not kept. */
export function vcpuThreads({ threads = {} }: BootRecord): readonly string[] {
  return Object.keys(threads).filter((tid) => VCPU_NAME.test(threads[tid]!));
}

/**
 * Reads the traces of rounds. Times come from traces without call stacks where a setting has such,
 * since walking a stack can take longer than the wait; names come from those with. Rounds for warming
 * up do not count, nor do VMs that did not get ready, nor waits of other processes.
 * @returns in the order of `bySetting`; empty when nothing was recorded
 */
export function recordedWaits(
  rounds: readonly BootRound[],
  traces: readonly RoundTrace[],
): SettingGroup<RoundWaits>[] {
  const known = namesOfWitnesses(traces);
  const all = traces.flatMap(({ round: index, trace }) => {
    const round = rounds[index]!;
    const isUseful =
      round.role !== "warm-up" && round.boots.some(isReady) && trace.meta.sees.includes("lockWait");
    return isUseful ? [{ ...settingOf(round), round, trace }] : [];
  });
  return bySetting(all).map(({ setting, rounds: ofSetting }) => {
    const bare = ofSetting.filter(({ trace }) => !trace.meta.stacks);
    const timed = bare.length > 0 ? bare : ofSetting;
    return { setting, rounds: timed.map(({ round, trace }) => waitsOf(round, trace, known)) };
  });
}

/** The table of locks of each setting. */
export function bootLocks(recorded: readonly SettingGroup<RoundWaits>[]): BootLockPoint[] {
  return recorded.map(({ setting, rounds }) => {
    const boots = rounds.reduce((sum, round) => sum + round.boots, 0);
    const meanNs = rounds.reduce((sum, round) => sum + round.serviceNs, 0) / boots;
    const groups = new Map<string, LockSum[]>();
    for (const sum of rounds.flatMap((round) => round.locks)) {
      const key = `${sum.lock.name} ${sum.kind}`;
      groups.set(key, [...(groups.get(key) ?? []), sum]);
    }
    const locks = [...groups.values()]
      .map((group) => lockOf(group, boots, meanNs))
      .sort((a, b) => b.waitMs - a.waitMs || (a.lock.address < b.lock.address ? -1 : 1));
    return { ...setting, rounds: rounds.length, boots, meanMs: meanNs / 1e6, locks };
  });
}

function lockOf(sums: readonly LockSum[], boots: number, meanNs: number): BootLock {
  const perBoot = (of: (sum: LockSum) => number) =>
    sums.reduce((total, sum) => total + of(sum), 0) / boots;
  const byAddress = new Map<string, number>();
  const phasesMs: Record<string, number> = {};
  for (const { lock, waitNs, phasesNs } of sums) {
    byAddress.set(lock.address, (byAddress.get(lock.address) ?? 0) + waitNs);
    for (const [phase, ns] of phasesNs) {
      phasesMs[phase] = (phasesMs[phase] ?? 0) + ns / boots / 1e6;
    }
  }
  const [most] = [...byAddress].reduce((a, b) => (b[1] > a[1] ? b : a));
  const satNs = perBoot((sum) => sum.satNs);
  return {
    lock: sums.find(({ lock }) => lock.address === most)!.lock,
    lockCount: byAddress.size,
    kind: sums[0]!.kind,
    waits: perBoot((sum) => sum.waits),
    waitMs: perBoot((sum) => sum.waitNs) / 1e6,
    observerMs: perBoot((sum) => sum.observerNs) / 1e6,
    bootMs: satNs / 1e6,
    shareOfBoot: meanNs === 0 ? 0 : satNs / meanNs,
    phasesMs,
  };
}

/** A boot as its waits need it. */
interface Boot {
  readonly record: BootRecord;
  readonly phases: readonly BootPhase[];
  readonly vcpus: ReadonlySet<number>;
  readonly aliveFromNs: number;
  readonly aliveToNs: number;
  /** Until then the VMM's first thread does the work; 0 where that was not seen. */
  readonly resumedNs: number;
}

// Of a busy second: some 100,000 waits of which the VMs have a part; each is looked up by its thread
// and cut at the few phases of its boot.
function waitsOf(round: BootRound, trace: Trace, known: ReadonlyMap<string, LockName>): RoundWaits {
  const boots = round.boots.filter(isReady).map(bootOf);
  const bootAt = threadIndex(boots);
  const names = nameLocks(trace).map((name) => nameBy(known, name));
  const { lockWait } = trace.tables;
  // A trace may begin before its round.
  const shiftNs = Number(trace.meta.origin.ns - BigInt(round.originNs));
  const locks = new Map<string, LockSum>();
  const time = { spinNs: 0, sleepNs: 0, setupNs: 0 };
  for (let i = 0; i < lockWait.length; i += 1) {
    const tid = lockWait.tid[i]!;
    const fromNs = lockWait.t[i]! + shiftNs;
    const boot = bootAt(tid, trace.processes[lockWait.process[i]!]?.pid, fromNs);
    if (boot === undefined) continue;
    const lock = lockWait.lock[i]!;
    const kind = kindOf(lockWait.flags[i]!);
    const key = `${lock} ${kind}`;
    const sum = locks.get(key) ?? newSum(names[lock]!, kind);
    locks.set(key, sum);
    const waitNs = lockWait.waitNs[i]!;
    const keptNs = addPhases(sum, boot, fromNs, fromNs + waitNs);
    if (waitNs > 0) sum.observerNs += (lockWait.observerNs[i]! * keptNs) / waitNs;
    const sat = satThrough(boot, tid, kind, fromNs, fromNs + keptNs);
    if (sat === undefined) continue;
    sum.satNs += sat.ns;
    if (boot.vcpus.size > 0) time[sat.how] += sat.ns;
  }
  return {
    ...settingOf(round),
    boots: boots.length,
    serviceNs: boots.reduce((sum, { record }) => sum + serviceNs(record), 0),
    // One that began before its boot or after it leaves nothing.
    locks: [...locks.values()].filter(({ waits, waitNs }) => waits > 0 || waitNs > 0),
    time,
    timedBoots: boots.filter(({ vcpus }) => vcpus.size > 0).length,
  };
}

function newSum(lock: LockName, kind: LockSum["kind"]): LockSum {
  return { lock, kind, waits: 0, waitNs: 0, observerNs: 0, satNs: 0, phasesNs: new Map() };
}

function bootOf(record: BootRecord): Boot {
  const { spawned, admitted, resumed, exited } = record.seen;
  return {
    record,
    phases: phasesOf(record),
    vcpus: new Set(vcpuThreads(record).map(Number)),
    aliveFromNs: (spawned ?? admitted)!.atNs,
    aliveToNs: exited?.atNs ?? Number.POSITIVE_INFINITY,
    resumedNs: resumed?.atNs ?? 0,
  };
}

/** @returns a function that finds the boot that a thread belonged to at some time, if to one */
function threadIndex(boots: readonly Boot[]) {
  const byId = new Map<number, Boot[]>();
  for (const boot of boots) {
    const { pid, threads = {} } = boot.record;
    const ids = new Set([...Object.keys(threads).map(Number), ...(pid === undefined ? [] : [pid])]);
    for (const id of ids) byId.set(id, [...(byId.get(id) ?? []), boot]);
  }
  return (tid: number, pid: number | undefined, atNs: number): Boot | undefined => {
    const candidates = byId.get(tid) ?? (pid === undefined ? undefined : byId.get(pid));
    // Ids come again: a thread is this VM's only while its process exists.
    return candidates?.find((boot) => atNs >= boot.aliveFromNs && atNs < boot.aliveToNs);
  };
}

/** Cuts a wait at the phases of its boot. @returns how much of it lies in the boot, which ends ready */
function addPhases(sum: LockSum, { phases }: Boot, fromNs: number, toNs: number): number {
  let keptNs = 0;
  for (const phase of phases) {
    if (fromNs >= phase.fromNs && fromNs < phase.toNs) sum.waits += 1;
    const ns = Math.min(toNs, phase.toNs) - Math.max(fromNs, phase.fromNs);
    if (ns <= 0) continue;
    keptNs += ns;
    sum.phasesNs.set(phase.name, (sum.phasesNs.get(phase.name) ?? 0) + ns);
  }
  sum.waitNs += keptNs;
  return keptNs;
}

/**
 * The boot's own line of work: the VMM's first thread until the vCPUs run, then the vCPUs. What other
 * threads wait for may hold it up or not: that cannot be seen, and is left out.
 */
function satThrough(
  { record, vcpus, resumedNs }: Boot,
  tid: number,
  kind: LockSum["kind"],
  fromNs: number,
  toNs: number,
): { readonly how: keyof BootLockTime; readonly ns: number } | undefined {
  if (vcpus.has(tid)) {
    const ns = Math.max(0, toNs - Math.max(fromNs, resumedNs)) / vcpus.size;
    return { how: kind === "spin" ? "spinNs" : "sleepNs", ns };
  }
  if (tid !== record.pid || fromNs >= resumedNs) return undefined;
  return { how: "setupNs", ns: Math.min(toNs, resumedNs) - fromNs };
}

/** Below it lies memory that is given out anew; above it the kernel's image and its modules. */
const IMAGE_START = "0xffffffff80000000";

/**
 * What traces with call stacks know of locks, by address. Memory may have held another lock in another
 * round: where two of them disagree, neither is believed.
 */
function namesOfWitnesses(traces: readonly RoundTrace[]): ReadonlyMap<string, LockName> {
  const known = new Map<string, LockName>();
  const disputed = new Set<string>();
  for (const { trace } of traces) {
    if (!trace.meta.stacks) continue;
    for (const name of nameLocks(trace)) {
      if (name.evidence === "none") continue;
      const before = known.get(name.address);
      if (before !== undefined && before.name !== name.name) disputed.add(name.address);
      known.set(name.address, name);
    }
  }
  for (const address of disputed) known.delete(address);
  return known;
}

function nameBy(known: ReadonlyMap<string, LockName>, own: LockName): LockName {
  const name = own.evidence === "none" ? (known.get(own.address) ?? own) : own;
  const isHeap = name.evidence === "none" && name.address < IMAGE_START;
  return isHeap ? { ...name, name: "unnamed" } : name;
}
