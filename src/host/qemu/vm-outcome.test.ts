import { expect, test } from "vitest";
import { type HowItEnded, type Verdict, verdictOf } from "./vm-outcome.ts";

const KILLED: HowItEnded = {
  last: "kernel",
  code: null,
  signal: "SIGKILL",
  panic: undefined,
  endedByUs: undefined,
  shutdown: undefined,
  stderr: [],
};

test.each<[string, Partial<HowItEnded>, Verdict]>([
  [
    "a boot that was ready stays ready, however it ended",
    { last: "ready", panic: "Kernel panic - late", code: 1, signal: null },
    { outcome: "ready" },
  ],
  [
    "a signal from elsewhere",
    {},
    { outcome: "killed", why: "SIGKILL from elsewhere ended the VMM (last seen: kernel)" },
  ],
  [
    "a signal that QEMU takes for an order to end: it exits with status 0",
    { code: 0, signal: null, shutdown: "host-signal" },
    { outcome: "killed", why: "a signal from elsewhere ended the VMM (last seen: kernel)" },
  ],
  [
    "KVM refuses what QEMU needs, and QEMU aborts",
    {
      last: "spawned",
      signal: "SIGABRT",
      stderr: ["qemu: error: failed to set MSR 0x10a to 0x0", "Assertion failed"],
    },
    {
      outcome: "vmm-failed",
      why:
        "the VMM ended itself by SIGABRT (last seen: spawned); " +
        "the VMM said: qemu: error: failed to set MSR 0x10a to 0x0 | Assertion failed",
    },
  ],
  [
    "a panic counts more than how the VM ended after it",
    { panic: "Kernel panic - x", signal: null, code: 0, shutdown: "guest-reset" },
    { outcome: "panic", why: "Kernel panic - x (last seen: kernel)" },
  ],
  [
    "a guest that switches itself off",
    { last: "init", signal: null, code: 0, shutdown: "guest-reset" },
    {
      outcome: "ended",
      why: "the VM ended before it was ready, guest-reset (last seen: init)",
    },
  ],
  [
    "our own SIGKILL is told by its reason",
    { endedByUs: { as: "timeout", why: "not ready within 10 ms" } },
    { outcome: "timeout", why: "not ready within 10 ms (last seen: kernel)" },
  ],
  [
    "an interrupted run",
    { endedByUs: { as: "given-up", why: "the run was interrupted" } },
    { outcome: "killed", why: "the run was interrupted (last seen: kernel)" },
  ],
  [
    "a status of its own",
    { last: "spawned", code: 1, signal: null },
    { outcome: "vmm-failed", why: "the VMM ended with status 1 (last seen: spawned)" },
  ],
])("%s", (_, how, expected) => {
  expect(verdictOf({ ...KILLED, ...how })).toEqual(expected);
});
