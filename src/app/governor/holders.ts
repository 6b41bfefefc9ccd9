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
  #timer: NodeJS.Timeout | undefined;

  constructor(end: (id: number) => void) {
    this.#end = end;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  /** A permit as it has become. */
  note(permit: Permit | undefined): void {
    const holder = permit?.ask.holder;
    if (permit === undefined || holder === undefined) return;
    if (permit.state === "granted") this.#inForce.set(permit.ask.id, holder);
    else this.#inForce.delete(permit.ask.id);
  }

  look(): void {
    const next = [...take(this.#inForce, LOOKS_MAX)];
    for (const [id, holder] of next) {
      // To the end of the line. It may have left when another one ended.
      if (!this.#inForce.delete(id)) continue;
      if (holderRuns(holder)) this.#inForce.set(id, holder);
      else this.#end(id);
    }
  }

  close(): void {
    clearInterval(this.#timer);
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
