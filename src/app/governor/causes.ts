import type { PermitEvent } from "../../core/govern/permit.ts";
import type { Request } from "./http.ts";

/** Remembers which request made a grant possible, to tell how long the decision took. */
export class Causes {
  readonly #arrivedNs = new Map<number, bigint>();
  #nowNs: bigint | undefined;

  /** Whatever is granted by this work, the request was the cause. */
  because<T>({ arrivedNs }: Request, work: () => T): T {
    this.#nowNs = arrivedNs;
    try {
      return work();
    } finally {
      this.#nowNs = undefined;
    }
  }

  /** For each change when it happens. */
  note(event: PermitEvent): void {
    if (event.kind === "granted" && this.#nowNs !== undefined) {
      this.#arrivedNs.set(event.id, this.#nowNs);
    }
  }

  /** Since the request arrived, s; undefined where a timer was the cause. Answers once. */
  takeSeconds(id: number): number | undefined {
    const arrivedNs = this.#arrivedNs.get(id);
    if (arrivedNs === undefined) return undefined;
    this.#arrivedNs.delete(id);
    return Number(process.hrtime.bigint() - arrivedNs) / 1e9;
  }
}
