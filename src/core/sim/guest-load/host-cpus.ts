import type { Random } from "../../random.ts";

/**
 * The host's CPUs under vCPUs, which are threads to it: one run queue, in order of arrival. Who runs
 * has its CPU for a time slice, whatever the guest does, a lock held or spun for included.
 */
export class HostCpus {
  /** More vCPUs than CPUs: slices are looked at. */
  readonly isCrowded: boolean;
  readonly #sliceNs: number;
  readonly #random: Random;
  readonly #idle: number[];
  readonly #queue: number[] = [];
  // By vCPU.
  readonly #cpu: Int32Array;
  readonly #sliceEnd: Float64Array;

  constructor(cpus: number, vcpus: number, sliceNs: number, random: Random) {
    this.isCrowded = vcpus > cpus;
    this.#sliceNs = sliceNs;
    this.#random = random;
    this.#idle = Array.from({ length: cpus }, (_, i) => cpus - 1 - i);
    this.#cpu = new Int32Array(vcpus).fill(-1);
    this.#sliceEnd = new Float64Array(vcpus).fill(Number.POSITIVE_INFINITY);
  }

  /** The CPU that a vCPU runs on; -1: none. */
  of(vcpu: number): number {
    return this.#cpu[vcpu]!;
  }

  runs(vcpu: number): boolean {
    return this.#cpu[vcpu]! >= 0;
  }

  /** Of a vCPU that runs; infinite where none ever has to give way. */
  sliceEnd(vcpu: number): number {
    return this.#sliceEnd[vcpu]!;
  }

  /** → true when the vCPU has a CPU now; else it is queued. */
  take(vcpu: number, now: number): boolean {
    const cpu = this.#idle.pop();
    if (cpu === undefined) this.#queue.push(vcpu);
    else this.#occupy(vcpu, cpu, now);
    return cpu !== undefined;
  }

  /** Gives up the CPU → the vCPU that gets it; -1: none. */
  leave(vcpu: number, now: number): number {
    const cpu = this.#cpu[vcpu]!;
    this.#cpu[vcpu] = -1;
    const next = this.#queue.shift();
    if (next === undefined) this.#idle.push(cpu);
    else this.#occupy(next, cpu, now);
    return next ?? -1;
  }

  /** At the end of a slice → the vCPU that runs instead; -1: nobody waits, and it has another. */
  giveWay(vcpu: number, now: number): number {
    if (this.#queue.length === 0) {
      this.#sliceEnd[vcpu] = now + this.#slice();
      return -1;
    }
    const next = this.leave(vcpu, now);
    this.#queue.push(vcpu);
    return next;
  }

  #occupy(vcpu: number, cpu: number, now: number): void {
    this.#cpu[vcpu] = cpu;
    if (this.isCrowded) this.#sliceEnd[vcpu] = now + this.#slice();
  }

  /** Half to one and a half: slices that are all alike would keep CPUs in step for ever. */
  #slice(): number {
    return Math.round(this.#sliceNs * (0.5 + this.#random.u32() / 2 ** 32));
  }
}
