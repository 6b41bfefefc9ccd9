import { readdirSync, readFileSync } from "node:fs";
import type { Holder, Permit, PermitEvent } from "../../core/govern/permit.ts";
import { processTree } from "../../host/cgroup/members.ts";
import { processUsage } from "../../host/cgroup/usage.ts";
import { holderRuns } from "./holders.ts";

/** A boot in service whose process tree is known. CPU times are ns since that tree began. */
interface Boot {
  readonly holder: Holder;
  /** When its boot began; absent where no daemon looked then. */
  readonly beganNs?: number;
  readonly seenNs: number;
  readonly toldNs: number;
}

/**
 * What the boots in service take of the host, read from the process trees of their holders: user and
 * system time of all processes, with that of children that were waited for. A process that leaves the
 * tree, as `qemu -daemonize` does, takes its time with it: such a launcher names the process itself.
 */
export class BootWatch {
  readonly #boots = new Map<number, Boot>();
  /** Of boots that have ended since `takeCpuNs`. */
  #endedNs = 0;

  /** Of a permit that was in force before this daemon was: how its boot began, nobody saw. */
  adopt({ state, ask: { id, holder } }: Permit): void {
    if (state !== "granted" || holder === undefined || this.#boots.has(id)) return;
    const usedNs = treeNs(holder) ?? 0;
    this.#boots.set(id, { holder, seenNs: usedNs, toldNs: usedNs });
  }

  /** For each change when it happens, with the permit as it has become. */
  note(event: PermitEvent, permit: Permit | undefined): void {
    const holder = permit?.ask.holder;
    if (permit === undefined || holder === undefined) return;
    const { id } = permit.ask;
    if (event.kind === "granted") this.#begin(id, holder, treeNs(holder) ?? 0);
    if (event.kind === "ended") this.#forget(id);
    if (event.kind === "renewed" && event.holder !== undefined) {
      const known = this.#boots.get(id);
      if (known !== undefined && isSame(known.holder, holder)) return;
      this.#forget(id);
      // Of one that was started for this boot, all counts.
      const inForceNs = event.atNs - permit.grantedNs!;
      this.#begin(id, holder, ageNs(holder) <= inForceNs ? 0 : (treeNs(holder) ?? 0));
    }
  }

  /** @returns CPU time of a boot in service; undefined where it cannot be told from another's */
  cpuNsOf(id: number): number | undefined {
    const boot = this.#look(id);
    if (boot?.beganNs === undefined) return undefined;
    const sharing = [...this.#boots.values()].filter(({ holder }) => isSame(holder, boot.holder));
    return sharing.length > 1 ? undefined : boot.seenNs - boot.beganNs;
  }

  /** CPU time of all boots whose holders are known, since the call before. */
  takeCpuNs(): number {
    let usedNs = this.#endedNs;
    this.#endedNs = 0;
    const counted = new Set<number>();
    for (const id of [...this.#boots.keys()]) {
      const boot = this.#look(id)!;
      if (!counted.has(boot.holder.pid)) usedNs += boot.seenNs - boot.toldNs;
      counted.add(boot.holder.pid);
      this.#boots.set(id, { ...boot, toldNs: boot.seenNs });
    }
    return usedNs;
  }

  get known(): number {
    return this.#boots.size;
  }

  ids(): readonly number[] {
    return [...this.#boots.keys()];
  }

  /** Threads of the boots in service, each with its boot. */
  threads(): ReadonlyMap<number, number> {
    const bootOf = new Map<number, number>();
    for (const [id, { holder }] of this.#boots) {
      if (!holderRuns(holder)) continue;
      for (const pid of processTree(holder.pid)) {
        for (const tid of threadsOf(pid)) bootOf.set(tid, id);
      }
    }
    return bootOf;
  }

  #begin(id: number, holder: Holder, usedNs: number): void {
    this.#boots.set(id, { holder, beganNs: usedNs, seenNs: usedNs, toldNs: usedNs });
  }

  #forget(id: number): void {
    const boot = this.#look(id);
    if (boot !== undefined) this.#endedNs += boot.seenNs - boot.toldNs;
    this.#boots.delete(id);
  }

  /** A tree whose processes were lost to it keeps what was seen of them. */
  #look(id: number): Boot | undefined {
    const boot = this.#boots.get(id);
    if (boot === undefined) return undefined;
    const looked = { ...boot, seenNs: Math.max(boot.seenNs, treeNs(boot.holder) ?? 0) };
    this.#boots.set(id, looked);
    return looked;
  }
}

function isSame(a: Holder, b: Holder): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks;
}

/** @returns undefined when the holder has ended */
function treeNs(holder: Holder): number | undefined {
  if (!holderRuns(holder)) return undefined;
  const { userNs, systemNs } = processUsage(processTree(holder.pid));
  return userNs + systemNs;
}

const TICKS_PER_S = 100;

/** /proc/uptime: `23493.65 44811.28`, s since boot, which is where start times count from. */
function ageNs({ startTicks }: Holder): number {
  const uptimeS = Number.parseFloat(readFileSync("/proc/uptime", "latin1"));
  return (uptimeS - Number(startTicks) / TICKS_PER_S) * 1e9;
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return []; // It has ended.
  }
}
