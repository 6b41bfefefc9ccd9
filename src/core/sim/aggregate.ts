import { assert } from "../assert.ts";
import { ADMIT, NEVER } from "../policy/policy.ts";
import type { Random } from "../random.ts";
import { cpusBefore } from "./admission.ts";
import { phaseDraw, stream } from "./chance.ts";
import { PSP_QUEUE, type StormResult, type VmResult } from "./result.ts";
import type { PagesPhase, StormPhase, StormSetup } from "./setup.ts";
import { type LockRate, type SteadyRate, SteadyRates } from "./steady-rate.ts";
import { bottleneckOf } from "./storm-result.ts";

/**
 * Whole fleets: the number of page operations does not matter. VMs come, go and change phase as
 * single events; between two of them everybody works at the steady rate of the population there is,
 * which a short run of the exact engine has measured (near-complete decomposability, Courtois 1977).
 *
 * Left out, beside what the exact engine leaves out: the transient after each event (a queue's
 * length of pages, of millions), the grain of time slices, memory that another guest's pages have
 * split already (`placement: scattered` on a cold host), what a policy says of single exits, and
 * boots that slow each other's work down or have another weight than their neighbours.
 * `canAggregate` says whether a storm is one of those.
 */
export function aggregate(setup: StormSetup): StormResult {
  assert(canAggregate(setup), "this storm can be aggregated");
  return new Fleet(setup).run();
}

export function canAggregate(setup: StormSetup): boolean {
  const { memory, policy, background, vms, workPerBoot = 0 } = setup;
  const classes = classesOf(vms.flatMap((vm) => vm.phases));
  const { share1g, share2m } = memory;
  if (memory.placement === "scattered" && share1g + share2m > 0) return false;
  if (policy !== undefined && background.some((task) => asks(task.phases))) return false;
  if (workPerBoot > 0 || background.some(({ weight = 1 }) => weight !== 1)) return false;
  return classes.length <= 4;
}

/** Page operations of the VMs, all together. Those of the background are not known beforehand. */
export function operationsOf({ vms }: StormSetup): number {
  return vms.reduce((sum, vm) => sum + countOf(vm.phases, 1), 0);
}

function asks(phases: readonly StormPhase[]): boolean {
  return phases.some((phase) => phase.kind === "pages" && phase.asks);
}

/** Pages phases without PSP work that differ in more than their length. */
function classesOf(phases: readonly StormPhase[]): PagesPhase[] {
  const classes: PagesPhase[] = [];
  for (const phase of phases) {
    if (phase.kind !== "pages" || phase.pspNs > 0) continue;
    if (!classes.some((known) => isAlike(known, phase))) classes.push(phase);
  }
  return classes;
}

function isAlike(a: PagesPhase, b: PagesPhase): boolean {
  const ops = a.ops.length === b.ops.length && a.ops.every((op, i) => op === b.ops[i]);
  return ops && a.pagesPerOp === b.pagesPerOp && a.batch === b.batch && a.batchNs === b.batchNs;
}

interface Vm {
  readonly index: number;
  phase: number;
  /** Operations or nanoseconds until the phase is done. */
  left: number;
  /** Class of a pages phase; WORK, PSP; WAITS: until `at`. */
  doing: number;
  at: number;
  rate: number;
  /** CPUs in use by it, and CPU time since it was admitted. */
  cpus: number;
  cpuNs: number;
  phaseStart: number;
  admitted: number;
  ready: number;
  lockWait: number;
  pspWait: number;
  readonly phasesNs: Record<string, number>;
  /** The stream that the exact engine draws this VM's phases from. */
  readonly random: Random;
}

const WORK = -1;
const PSP = -2;
const WAITS = -3;
const DONE = -4;
const ASKS = -5;

class Fleet {
  readonly #setup: StormSetup;
  readonly #classes: readonly PagesPhase[];
  readonly #rates: SteadyRates;
  readonly #vms: Vm[];
  readonly #burners: number;
  readonly #locks = new Map<string, LockRate>();
  #now = 0;
  #events = 0;
  #pspBusyNs = 0;
  #pspWaitNs = 0;
  #flushes = 0;
  #background = 0;
  #spinNs = 0;
  #busyNs = 0;
  /** CPU time of VMs. */
  #bootNs = 0;
  /** When the policy was told of the CPUs last, and what they had done by then. */
  #sampled = { at: 0, busyNs: 0, bootNs: 0 };

  constructor(setup: StormSetup) {
    this.#setup = setup;
    this.#classes = classesOf(setup.vms.flatMap((vm) => vm.phases));
    const first = setup.vms[0]!;
    const phases = JSON.stringify(first.phases);
    const together = setup.vms.every(
      (vm) => vm.startNs === first.startNs && JSON.stringify(vm.phases) === phases,
    );
    // Rounds of tasks in step are counted in operations: those of the background are none of them.
    const inStep = together && setup.phaseSpread === 0 && setup.background.length === 0;
    this.#rates = new SteadyRates(setup, this.#classes, inStep);
    this.#burners = setup.background.length;
    this.#vms = setup.vms.map((vm, index) => ({
      index,
      phase: -1,
      left: 0,
      doing: ASKS,
      at: vm.startNs,
      rate: 0,
      cpus: 0,
      cpuNs: 0,
      phaseStart: 0,
      admitted: 0,
      ready: 0,
      lockWait: 0,
      pspWait: 0,
      phasesNs: {},
      random: stream(setup.seed, index, "phase"),
    }));
    this.#now = Math.min(...setup.vms.map((vm) => vm.startNs));
    setup.policy?.observe(cpusBefore(setup), this.#now);
    this.#sampled = { ...this.#sampled, at: this.#now };
  }

  run(): StormResult {
    for (;;) {
      for (const vm of this.#vms) this.#settle(vm);
      this.#letGo();
      if (this.#vms.every((vm) => vm.doing === DONE)) return this.#result();
      this.#step();
    }
  }

  /** Everybody works until the next one is done with something. */
  #step(): void {
    this.#events += 1;
    const rate = this.#setRates();
    let until = Number.POSITIVE_INFINITY;
    for (const vm of this.#vms) {
      if (vm.doing === DONE) continue;
      const at = vm.rate > 0 ? this.#now + vm.left / vm.rate : vm.at;
      if (at < until) until = at;
    }
    const wake = this.#setup.policy?.wakeNs() ?? NEVER;
    if (wake > this.#now && wake < until) until = wake;
    if (this.#setup.policy !== undefined) until = Math.min(until, this.#sampled.at + SAMPLE_NS);
    assert(until < NEVER, "VMs that are not ready have something to wait for");
    // The clock is whole nanoseconds, as everywhere; what is left may be too little to be added to it.
    until = Math.max(Math.ceil(until), this.#now + 1);
    const ns = until - this.#now;
    for (const vm of this.#vms) if (vm.rate > 0) vm.left -= vm.rate * ns;
    this.#addUp(rate, ns);
    this.#now = until;
    this.#sample();
  }

  /** Ends what is done, as often as something is. */
  #settle(vm: Vm): void {
    while (vm.doing !== DONE) {
      if (vm.doing === ASKS) {
        if (vm.at > this.#now) return;
        this.#ask(vm);
        if (vm.doing === ASKS) return;
      } else if (vm.doing === WAITS ? vm.at > this.#now : vm.left > 1e-6) return;
      this.#nextPhase(vm);
    }
  }

  #nextPhase(vm: Vm): void {
    const setup = this.#setup.vms[vm.index]!;
    const before = setup.phases[vm.phase];
    if (before !== undefined) {
      const spent = this.#now - vm.phaseStart;
      vm.phasesNs[before.name] = (vm.phasesNs[before.name] ?? 0) + spent;
    }
    vm.phase += 1;
    vm.phaseStart = this.#now;
    vm.at = Number.POSITIVE_INFINITY;
    const phase = setup.phases[vm.phase];
    if (phase === undefined) {
      vm.doing = DONE;
      vm.ready = this.#now;
      vm.rate = 0;
      this.#release(vm);
      return;
    }
    switch (phase.kind) {
      case "work":
        vm.doing = WORK;
        vm.left = phaseDraw(vm.random, phase.ns, this.#setup.phaseSpread);
        break;
      case "wait":
        vm.doing = WAITS;
        vm.at = this.#now + phaseDraw(vm.random, phase.ns, this.#setup.phaseSpread);
        vm.left = 0;
        break;
      case "psp":
        vm.doing = PSP;
        vm.left = phase.ns;
        break;
      case "pages":
        vm.doing = phase.pspNs > 0 ? PSP : this.#classes.findIndex((c) => isAlike(c, phase));
        vm.left = phase.count * phase.passes * (phase.pspNs > 0 ? phase.pspNs : 1);
        break;
    }
  }

  // ---- Rates ----------------------------------------------------------------------------------------

  #setRates(): SteadyRate | undefined {
    const tasks = this.#classes.map(() => 0);
    let working = 0;
    let inPsp = 0;
    for (const vm of this.#vms) {
      if (vm.doing >= 0) tasks[vm.doing]! += this.#setup.vms[vm.index]!.tasks;
      if (vm.doing === WORK) working += 1;
      if (vm.doing === PSP) inPsp += 1;
    }
    const { cpus } = this.#setup.topology;
    const accepting = tasks.reduce((a, b) => a + b, 0);
    const wanted = accepting + working + this.#burners;
    const share = Math.min(1, cpus / wanted);
    const rate = accepting > 0 ? this.#population(tasks, working, wanted) : undefined;
    for (const vm of this.#vms) {
      vm.cpus = 0;
      if (vm.doing >= 0) {
        const own = this.#setup.vms[vm.index]!.tasks;
        vm.rate = (rate!.operations[vm.doing]! / tasks[vm.doing]!) * own;
        vm.cpus = share * own;
      } else if (vm.doing === WORK) {
        vm.rate = share;
        vm.cpus = share;
      } else if (vm.doing === PSP) vm.rate = this.#pspRate(vm, inPsp);
      else vm.rate = 0;
    }
    this.#busyShare = Math.min(wanted, cpus);
    return rate;
  }

  #busyShare = 0;

  /** One command at a time, in turn: each has its part, and is busy with the page between them. */
  #pspRate(vm: Vm, inPsp: number): number {
    const phase = this.#setup.vms[vm.index]!.phases[vm.phase]!;
    if (phase.kind !== "pages") return 1 / inPsp;
    return Math.min(1 / inPsp, phase.pspNs / (phase.pspNs + this.#launchPageNs()));
  }

  /** The host's part of a launch page: one round and RMPUPDATE, nobody in the way. */
  #launchPageNs(): number {
    const { readPmd, readPte, writePte, rmpupdate, pvalidate } = this.#setup.costs;
    return readPmd + readPte + writePte + rmpupdate + pvalidate;
  }

  /** The rate of a population, by interpolation between those that are measured. */
  #population(tasks: readonly number[], working: number, wanted: number): SteadyRate {
    const { cpus } = this.#setup.topology;
    const accepting = tasks.reduce((a, b) => a + b, 0);
    if (wanted > cpus) {
      // A quarter more than there are CPUs: whoever waits for one does not change the rate.
      const all = Math.ceil(cpus * 1.25) - this.#burners;
      const others = Math.round((all * working) / (accepting + working));
      return this.#rates.of(apportion(tasks, Math.max(1, all - others)), others);
    }
    const [below, above] = neighbours(accepting);
    const low = this.#rates.of(apportion(tasks, below), 0);
    if (below === above) return low;
    const high = this.#rates.of(apportion(tasks, above), 0);
    return between(low, high, (accepting - below) / (above - below));
  }

  #addUp(rate: SteadyRate | undefined, ns: number): void {
    for (const vm of this.#vms) {
      vm.cpuNs += vm.cpus * ns;
      this.#bootNs += vm.cpus * ns;
    }
    this.#busyNs += this.#busyShare * ns;
    let inPsp = 0;
    for (const vm of this.#vms) if (vm.doing === PSP) inPsp += 1;
    if (inPsp > 0) {
      let used = 0;
      for (const vm of this.#vms) {
        if (vm.doing !== PSP) continue;
        used += vm.rate;
        vm.pspWait += (1 - vm.rate) * ns;
      }
      this.#pspBusyNs += used * ns;
      this.#pspWaitNs += (inPsp - used) * ns;
    }
    if (rate === undefined) return;
    this.#flushes += rate.flushes * ns;
    this.#background += rate.backgroundOperations * ns;
    this.#spinNs += rate.spinning * ns;
    const accepting = this.#vms.filter((vm) => vm.doing >= 0);
    const wait = rate.locks.reduce((sum, lock) => sum + lock.waitNsOfVms, 0) * ns;
    for (const vm of accepting) vm.lockWait += wait / accepting.length;
    for (const lock of rate.locks)
      this.#locks.set(lock.name, grown(this.#locks.get(lock.name), lock, ns));
  }

  // ---- Policy -----------------------------------------------------------------------------------------

  #ask(vm: Vm): void {
    const { policy, vms } = this.#setup;
    const { pages, tenant, priority } = vms[vm.index]!;
    const ask = { id: vm.index, kind: "boot", vm: vm.index, tenant, pages, priority } as const;
    if (policy === undefined || policy.decide(ask, this.#now) === ADMIT) this.#admit(vm);
    else vm.at = Number.POSITIVE_INFINITY;
  }

  #admit(vm: Vm): void {
    vm.admitted = this.#now;
    vm.doing = WAITS;
    vm.at = this.#now;
  }

  #release(vm: Vm): void {
    const { policy, vms } = this.#setup;
    const latencyNs = this.#now - vm.admitted;
    const cpuNs = Math.round(vm.cpuNs);
    const { pages } = vms[vm.index]!;
    policy?.observe({ kind: "boot-finished", latencyNs, failed: false, cpuNs, pages }, this.#now);
    policy?.release(vm.index, this.#now);
  }

  /** Tells the policy how the CPUs were used. */
  #sample(): void {
    const { policy, topology } = this.#setup;
    const before = this.#sampled;
    if (policy === undefined || this.#now < before.at + SAMPLE_NS) return;
    const allNs = topology.cpus * (this.#now - before.at);
    const idleShare = Math.max(0, 1 - (this.#busyNs - before.busyNs) / allNs);
    const bootShare = Math.min(1, (this.#bootNs - before.bootNs) / allNs);
    policy.observe({ kind: "host-cpu", cpus: topology.cpus, idleShare, bootShare }, this.#now);
    this.#sampled = { at: this.#now, busyNs: this.#busyNs, bootNs: this.#bootNs };
  }

  #letGo(): void {
    const { policy } = this.#setup;
    if (policy === undefined) return;
    for (let g = policy.ready(this.#now); g !== undefined; g = policy.ready(this.#now)) {
      const vm = this.#vms[g.id]!;
      this.#admit(vm);
      this.#settle(vm);
    }
  }

  // ---- What came out ----------------------------------------------------------------------------------

  #result(): StormResult {
    const { vms, seed, topology, costs } = this.#setup;
    const begin = Math.min(...vms.map((vm) => vm.startNs));
    const makespanNs = this.#now - begin;
    const results = this.#vms.map((vm) => this.#vmResult(vm));
    const bootNs = results.reduce((sum, vm) => sum + vm.bootNs, 0);
    const locks = [...this.#locks.values()]
      .filter((lock) => lock.name !== PSP_QUEUE)
      .map((lock) => ({
        name: lock.name,
        acquisitions: Math.round(lock.acquisitions),
        contended: Math.round(lock.contended),
        waitNsTotal: Math.round(lock.waitNs),
        waitNsMax: lock.waitNsMax,
        waitNsOfVms: Math.round(lock.waitNsOfVms),
        holdNsTotal: Math.round(lock.holdNs),
        utilisation: Math.min(1, lock.busy / makespanNs),
        shareOfBoot: lock.waitNsOfVms / bootNs,
      }));
    const commands = pspCommands(this.#setup);
    locks.push({
      name: PSP_QUEUE,
      acquisitions: commands,
      contended: this.#pspWaitNs > 0 ? commands : 0,
      waitNsTotal: Math.round(this.#pspWaitNs),
      waitNsMax: 0,
      waitNsOfVms: Math.round(this.#pspWaitNs),
      holdNsTotal: Math.round(this.#pspBusyNs),
      utilisation: Math.min(1, this.#pspBusyNs / makespanNs),
      shareOfBoot: this.#pspWaitNs / bootNs,
    });
    const cpuNs = makespanNs * topology.cpus;
    const meanBootNs = bootNs / results.length;
    const operations = operationsOf(this.#setup);
    return {
      vms: results,
      makespanNs,
      locks,
      bottleneck: bottleneckOf(locks),
      seed,
      grain: "aggregated",
      errorBound: this.#errorBound(costs.timeSlice, meanBootNs),
      pages: Math.round(vms.reduce((sum, vm) => sum + countOf(vm.phases, 0), 0) + this.#background),
      operations: operations + Math.round(this.#background),
      events: this.#events,
      flushes: Math.round(this.#flushes),
      cpu: {
        work: (this.#busyNs - this.#spinNs) / cpuNs,
        spin: this.#spinNs / cpuNs,
        idle: Math.max(0, 1 - this.#busyNs / cpuNs),
      },
    };
  }

  /**
   * Of a boot time: scatter of the measured rates; the order in which a lock goes from CPU to CPU,
   * which wanders in a storm that no time slice shuffles (rounds of 512 pages of the exact engine
   * scatter by 1 to 3 %); half a rotation of the run queue at each end; and one queue's length after
   * each event that changed the population. Measured against exact: docs/validation.md.
   */
  #errorBound(sliceNs: number, bootNs: number): number {
    const { vms, topology, spread } = this.#setup;
    const crowded = vms.length + this.#burners > topology.cpus;
    const rates = spread === "none" ? 0.005 : 0.008;
    const order = crowded ? 0 : 0.03;
    const rotation = crowded ? (sliceNs * vms.length) / topology.cpus : 0;
    const transient = vms.length * 2 * 2000;
    return rates + order + (rotation + transient) / bootNs;
  }

  #vmResult(vm: Vm): VmResult {
    const { name, group, startNs } = this.#setup.vms[vm.index]!;
    return {
      name,
      group,
      requestedNs: startNs,
      admittedNs: vm.admitted,
      readyNs: vm.ready,
      bootNs: vm.ready - startNs,
      phasesNs: vm.phasesNs,
      lockWaitNs: Math.round(vm.lockWait),
      pspWaitNs: Math.round(vm.pspWait),
      heldBackNs: 0,
    };
  }
}

/** How often a policy is told of the CPUs: seldom, for each time is an event. */
const SAMPLE_NS = 1_000_000_000;

/** Operations of phases (`of` 1) or 4 KiB pages (`of` 0). */
function countOf(phases: readonly StormPhase[], of: 0 | 1): number {
  return phases.reduce((sum, phase) => {
    if (phase.kind !== "pages") return sum;
    return sum + phase.count * phase.passes * (of === 1 ? 1 : phase.pagesPerOp);
  }, 0);
}

function pspCommands({ vms }: StormSetup): number {
  return vms.reduce(
    (sum, vm) =>
      sum +
      vm.phases.reduce((n, phase) => {
        if (phase.kind === "psp") return n + 1;
        return phase.kind === "pages" && phase.pspNs > 0 ? n + phase.count : n;
      }, 0),
    0,
  );
}

/** Populations that are measured: every one up to 16, then eight an octave. */
function neighbours(tasks: number): [number, number] {
  if (tasks <= 16) return [tasks, tasks];
  let octave = 16;
  while (octave * 2 <= tasks) octave *= 2;
  const step = octave / 8;
  const below = octave + Math.floor((tasks - octave) / step) * step;
  return below === tasks ? [tasks, tasks] : [below, below + step];
}

/** As many tasks in the same proportions, largest remainders first. */
function apportion(tasks: readonly number[], total: number): readonly number[] {
  const all = tasks.reduce((a, b) => a + b, 0);
  const exact = tasks.map((n) => (n * total) / all);
  const result = exact.map((x, i) => (tasks[i]! > 0 ? Math.max(1, Math.floor(x)) : 0));
  const order = tasks
    .map((_, i) => i)
    .toSorted((a, b) => (exact[b]! % 1) - (exact[a]! % 1) || a - b);
  let left = total - result.reduce((a, b) => a + b, 0);
  for (const i of order) {
    if (left <= 0) break;
    if (tasks[i]! === 0) continue;
    result[i]! += 1;
    left -= 1;
  }
  return result;
}

function between(low: SteadyRate, high: SteadyRate, t: number): SteadyRate {
  const mix = (a: number, b: number) => a + (b - a) * t;
  return {
    operations: low.operations.map((a, i) => mix(a, high.operations[i]!)),
    locks: low.locks.map((a, i) => {
      const b = high.locks[i]!;
      return {
        name: a.name,
        acquisitions: mix(a.acquisitions, b.acquisitions),
        contended: mix(a.contended, b.contended),
        waitNs: mix(a.waitNs, b.waitNs),
        waitNsOfVms: mix(a.waitNsOfVms, b.waitNsOfVms),
        holdNs: mix(a.holdNs, b.holdNs),
        busy: mix(a.busy, b.busy),
        waitNsMax: Math.max(a.waitNsMax, b.waitNsMax),
      };
    }),
    flushes: mix(low.flushes, high.flushes),
    backgroundOperations: mix(low.backgroundOperations, high.backgroundOperations),
    spinning: mix(low.spinning, high.spinning),
  };
}

/** A lock's sums after `ns` more at that rate. */
function grown(sum: LockRate | undefined, rate: LockRate, ns: number): LockRate {
  return {
    name: rate.name,
    acquisitions: (sum?.acquisitions ?? 0) + rate.acquisitions * ns,
    contended: (sum?.contended ?? 0) + rate.contended * ns,
    waitNs: (sum?.waitNs ?? 0) + rate.waitNs * ns,
    waitNsOfVms: (sum?.waitNsOfVms ?? 0) + rate.waitNsOfVms * ns,
    holdNs: (sum?.holdNs ?? 0) + rate.holdNs * ns,
    busy: (sum?.busy ?? 0) + rate.busy * ns,
    waitNsMax: Math.max(sum?.waitNsMax ?? 0, rate.waitNsMax),
  };
}
