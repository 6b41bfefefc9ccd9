import { expect, test } from "vitest";
import { Gate, type GateTime } from "./gate.ts";
import type { Ask } from "./policy.ts";
import { createPolicy } from "./registry.ts";

const boot = (id: number): Ask => ({ id, kind: "boot", vm: id, tenant: 0, pages: 1, priority: 0 });
const psc = (id: number, pages: number): Ask => ({ ...boot(id), kind: "psc", vm: 0, pages });

/** A clock that moves when the test says so, and rings what is due on its way. */
function fakeTime() {
  let now = 0;
  const timers = new Map<number, { atNs: number; ring: () => void }>();
  let next = 0;
  const time: GateTime = {
    nowNs: () => now,
    wakeAt(atNs, ring) {
      const key = next++;
      timers.set(key, { atNs, ring });
      return () => timers.delete(key);
    },
  };
  return {
    time,
    timers,
    advanceTo(atNs: number) {
      for (;;) {
        const due = [...timers].filter(([, timer]) => timer.atNs <= atNs);
        due.sort(([, a], [, b]) => a.atNs - b.atNs);
        const [first] = due;
        if (first === undefined) break;
        timers.delete(first[0]);
        now = Math.max(now, first[1].atNs);
        first[1].ring();
      }
      now = atNs;
    },
  };
}

test("boots beyond the cap go when one is released, in order, each once", () => {
  const { time } = fakeTime();
  const gate = new Gate(createPolicy([{ name: "boot-cap", options: { boots: 2 } }]), time);
  const went: number[] = [];
  for (let id = 0; id < 5; id += 1) gate.ask(boot(id), ({ id }) => went.push(id));
  expect(went).toEqual([0, 1]);
  gate.release(1);
  expect(went).toEqual([0, 1, 2]);
  gate.leave(3, "gave-up");
  gate.release(0);
  expect(went).toEqual([0, 1, 2, 4]);
});

test("one timer at most, and asks of a rate go at the moment the bucket says", () => {
  const { time, timers, advanceTo } = fakeTime();
  // 1,000 pages a second, 64 at once: an ask of 64 every 64 ms.
  const options = { scope: "host", pagesPerSecond: 1000, burstPages: 64, pscDelayMaxMs: 10_000 };
  const gate = new Gate(createPolicy([{ name: "psc-rate", options }]), time);
  const at: number[] = [];
  for (let id = 0; id < 4; id += 1) {
    gate.ask(psc(id, 64), () => at.push(time.nowNs()));
    expect(timers.size).toBeLessThanOrEqual(1);
  }
  advanceTo(1e9);
  expect(at).toEqual([0, 64e6, 128e6, 192e6]);
});

test("a closed gate calls nobody", () => {
  const { time, timers } = fakeTime();
  const gate = new Gate(createPolicy([{ name: "boot-cap", options: { boots: 1 } }]), time);
  const went: number[] = [];
  for (let id = 0; id < 2; id += 1) gate.ask(boot(id), ({ id }) => went.push(id));
  gate.close();
  gate.release(0);
  expect(went).toEqual([0]);
  expect(timers.size).toBe(0);
});
