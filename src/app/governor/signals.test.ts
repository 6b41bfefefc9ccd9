import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PermitEvent } from "../../core/govern/permit.ts";
import { Signals } from "./signals.ts";

vi.mock("../../host/probe/cpu-times.ts", async (original) => {
  let busyNs = 0;
  const readCpuTimes = () => {
    busyNs += 1e9;
    return { cpus: 2, busyNs, idleNs: 0, stolenNs: 0 };
  };
  return { ...(await original<object>()), readCpuTimes };
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const GRANTED: PermitEvent = { kind: "granted", atNs: 0, id: 1 };

test("the CPUs are looked at once in a while, however many boots a look lets go", () => {
  let looks = 0;
  const signals = new Signals({
    settings: () => ({ everyMs: 1000, lockWait: "off", cpuPressure: "off" }),
    counts: () => ({ waiting: 1, inForce: 1 }),
    steersByLockWait: () => false,
    bootWeight: () => 1,
    observe: () => {
      looks += 1;
      if (looks > 100) throw new Error("looks without end");
      signals.note(GRANTED, undefined);
    },
  });
  signals.note(GRANTED, undefined);
  vi.advanceTimersByTime(10_500);
  expect(looks).toBe(10);
});
