import type { Holder, Permit } from "../../core/govern/permit.ts";
import { startTicksOf } from "../../host/exec/start-time.ts";

/** Reading one is some 10 µs: a look takes 1 ms at most, and 100 boots in service are seen each time. */
const LOOK_EVERY_MS = 100;
const LOOKS_MAX = 100;

/** Is it the very process, or has its number been given to another? */
export function holderRuns({ pid, startTicks }: Holder): boolean {
  return startTicksOf(pid) === startTicks;
}

/** Ends the permits of launchers that are gone. Of many it looks at some each time, in turn. */
export class HolderWatch {
  readonly #end: (id: number) => void;
  readonly #inForce = new Map<number, Holder>();
  /** Was gone when it was looked at the last time. */
  readonly #gone = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(end: (id: number) => void) {
    this.#end = end;
  }

  /** A permit as it has become. */
  note(permit: Permit | undefined): void {
    const holder = permit?.ask.holder;
    if (permit === undefined || holder === undefined) return;
    this.#gone.delete(permit.ask.id);
    if (permit.state === "granted") this.#inForce.set(permit.ask.id, holder);
    else this.#inForce.delete(permit.ask.id);
    this.#timer ??= setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  look(): void {
    const next = [...take(this.#inForce, LOOKS_MAX)];
    for (const [id, holder] of next) {
      // To the end of the line. It may have left when another one ended.
      if (!this.#inForce.delete(id)) continue;
      const isGone = !holderRuns(holder);
      if (isGone && this.#gone.has(id)) {
        this.#end(id);
        continue;
      }
      this.#inForce.set(id, holder);
      // Its launcher may be telling just now how the boot ended: that goes first, until the next look.
      if (isGone) this.#gone.add(id);
      else this.#gone.delete(id);
    }
    // Without holders nothing wakes up.
    this.#timer =
      this.#inForce.size === 0 ? undefined : setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

function* take<T>(items: Iterable<T>, most: number): Generator<T> {
  let taken = 0;
  for (const item of items) {
    if (taken >= most) return;
    taken += 1;
    yield item;
  }
}
