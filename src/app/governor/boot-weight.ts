import { BootstormError } from "../../core/error.ts";
import type { Holder, Permit } from "../../core/govern/permit.ts";
import { WEIGHT } from "../../host/cgroup/settings.ts";
import { type TakenCgroup, takeTree } from "../../host/cgroup/take.ts";
import { holderRuns } from "./holders.ts";

export interface WeightState {
  /** A multiple of what groups have by default. */
  readonly boots: number;
  /** Process trees that have it now. */
  readonly raised: number;
  /** Why the last one that was to have it has not. */
  readonly problem?: string;
}

/** The greatest that a cgroup can have. */
const BOOTS_MAX = WEIGHT.max / WEIGHT.default;
/** A weight that is off by less than this part stays: nobody would notice. */
const CLOSE_ENOUGH = 1 / 4;

/**
 * A limit on boots hands CPU time to whoever else wants it. With this weight each boot in service
 * stands for those it keeps waiting: together they have the share that all would have without a limit.
 */
export function fairWeight({ waiting, inForce }: { waiting: number; inForce: number }): number {
  return inForce === 0 ? 1 : Math.min(BOOTS_MAX, 1 + waiting / inForce);
}

/** The group of a holder; a launcher may hold several permits. */
interface Raised {
  readonly group: TakenCgroup;
  readonly permits: Set<number>;
}

/**
 * Gives the process trees of boots in service a greater weight, and takes it back when their permits
 * end. Moving a tree to another group takes the kernel a millisecond, on some hosts more: it happens
 * after the answers have left, one tree a turn of the event loop.
 */
export class BootWeight {
  readonly #wanted: () => number;
  readonly #say: (text: string) => void;
  readonly #inForce = new Map<number, Holder>();
  readonly #raised = new Map<string, Raised>();
  readonly #due = new Set<number>();
  #immediate: NodeJS.Immediate | undefined;
  #boots = 1;
  #problem: string | undefined;

  /** @param wanted  the weight as a multiple; 1 is as everybody */
  constructor(wanted: () => number, say: (text: string) => void) {
    this.#wanted = wanted;
    this.#say = say;
  }

  /** A permit as it has become, or as it was found at the start. */
  note(permit: Permit | undefined): void {
    const holder = permit?.ask.holder;
    if (permit === undefined) return;
    if (holder === undefined || permit.state === "waiting") {
      // Who waits changes what those in service are due.
      if (this.#inForce.size > 0) this.#settleLater([]);
      return;
    }
    const { id } = permit.ask;
    if (permit.state === "granted") this.#inForce.set(id, holder);
    else this.#inForce.delete(id);
    this.#settleLater([id]);
  }

  /** The weight is another one, or what stood against it is gone. */
  reload(): void {
    this.#problem = undefined;
    this.#follow();
  }

  #follow(): void {
    this.#boots = this.#wanted();
    for (const { group } of this.#raised.values()) this.#attempt(() => this.#setWeight(group));
    this.#settleLater(this.#inForce.keys());
  }

  /** Mean weight of the boots in service that have named a holder. */
  get mean(): number {
    const { size } = this.#inForce;
    return size === 0 ? 1 : 1 + (this.#boots - 1) * Math.min(1, this.#raised.size / size);
  }

  state(): WeightState {
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { boots: this.#boots, raised: this.#raised.size, ...problem };
  }

  /** All is as it was; the daemon that follows raises anew what is still in force. */
  close(): void {
    clearImmediate(this.#immediate);
    for (const { group } of this.#raised.values()) this.#attempt(() => group.release());
    this.#raised.clear();
  }

  #settleLater(ids: Iterable<number>): void {
    for (const id of ids) this.#due.add(id);
    this.#immediate ??= setImmediate(() => this.#settleNext());
  }

  #settleNext(): void {
    this.#immediate = undefined;
    const wanted = this.#wanted();
    if (Math.abs(wanted - this.#boots) > this.#boots * CLOSE_ENOUGH) this.#follow();
    const [id] = this.#due;
    if (id === undefined) return;
    this.#due.delete(id);
    this.#attempt(() => this.#settle(id));
    if (this.#due.size > 0) this.#settleLater([]);
  }

  #settle(id: number): void {
    const holder = this.#boots > 1 ? this.#inForce.get(id) : undefined;
    const key = holder === undefined ? undefined : `${holder.pid} ${holder.startTicks}`;
    this.#lower(id, key);
    if (holder === undefined || key === undefined) return;
    const known = this.#raised.get(key);
    if (known !== undefined) known.permits.add(id);
    else if (holderRuns(holder)) this.#raise(key, holder, id);
  }

  /** Takes back what a permit has, unless it has what it is to have. */
  #lower(id: number, except: string | undefined): void {
    for (const [key, { group, permits }] of this.#raised) {
      if (key === except || !permits.delete(id) || permits.size > 0) continue;
      this.#raised.delete(key);
      group.release();
    }
  }

  #raise(key: string, { pid }: Holder, id: number): void {
    const group = takeTree(pid, "weight");
    if ("why" in group) {
      this.#note(group.why);
      return;
    }
    try {
      this.#setWeight(group);
    } catch (error) {
      group.release();
      throw error;
    }
    this.#raised.set(key, { group, permits: new Set([id]) });
  }

  #setWeight(group: TakenCgroup): void {
    group.setWeight(Math.round(WEIGHT.default * this.#boots));
  }

  /** A group that is gone needs nothing; whatever else stands against it, boots go on without. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof BootstormError)) throw error;
      if (error.code !== "CGROUP_GONE") this.#note(`${error.message}: ${error.why}`);
    }
  }

  #note(problem: string): void {
    if (problem !== this.#problem) this.#say(`boots have no greater weight: ${problem}`);
    this.#problem = problem;
  }
}
