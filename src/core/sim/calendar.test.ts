import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Calendar } from "./calendar.ts";

/** The oracle: a list sorted by time, then by the order of scheduling. */
class SortedList {
  now = 0;
  #sequence = 0;
  readonly #events: { id: number; at: number; sequence: number }[] = [];

  schedule(id: number, at: number): void {
    this.#events.push({ id, at, sequence: this.#sequence });
    this.#sequence += 1;
    this.#events.sort((a, b) => a.at - b.at || a.sequence - b.sequence);
  }

  pop(): number {
    const first = this.#events.shift();
    if (first === undefined) return -1;
    this.now = first.at;
    return first.id;
  }
}

/** Far enough to reach every level and the list beyond, near enough to tie often. */
const delays = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 0, max: 2 ** 17 }),
  fc.integer({ min: 0, max: 2 ** 29 }),
  fc.constantFrom(0, 1, 2 ** 16 - 1, 2 ** 16, 2 ** 28 - 1, 2 ** 28, 2 ** 40 - 1, 2 ** 40),
  fc.integer({ min: 0, max: 2 ** 43 }),
);

describe("calendar", () => {
  it("gives events in the order of time, and of scheduling where times are equal", () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(delays, { nil: "pop" as const }), { maxLength: 400 }),
        (steps) => {
          const calendar = new Calendar(steps.length);
          const oracle = new SortedList();
          const popBoth = () => {
            expect(calendar.pop()).toBe(oracle.pop());
            expect(calendar.now).toBe(oracle.now);
          };
          steps.forEach((step, id) => {
            if (step === "pop") {
              popBoth();
              return;
            }
            calendar.schedule(id, calendar.now + step);
            oracle.schedule(id, oracle.now + step);
          });
          while (calendar.size > 0) popBoth();
          expect(oracle.pop()).toBe(-1);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("hold model: as many events as there are ids, for any increments", () => {
    fc.assert(
      fc.property(fc.array(delays, { minLength: 1, maxLength: 40 }), (increments) => {
        const ids = 7;
        const calendar = new Calendar(ids);
        const oracle = new SortedList();
        for (let id = 0; id < ids; id += 1) {
          calendar.schedule(id, increments[id % increments.length]!);
          oracle.schedule(id, increments[id % increments.length]!);
        }
        for (let step = 0; step < 300; step += 1) {
          const id = calendar.pop();
          expect(id).toBe(oracle.pop());
          expect(calendar.now).toBe(oracle.now);
          const at = calendar.now + increments[step % increments.length]!;
          calendar.schedule(id, at);
          oracle.schedule(id, at);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("an empty calendar has no event, and its time stays", () => {
    const calendar = new Calendar(1);
    expect(calendar.pop()).toBe(-1);
    calendar.schedule(0, 5);
    expect(calendar.pop()).toBe(0);
    expect(calendar.pop()).toBe(-1);
    expect(calendar.now).toBe(5);
  });
});
