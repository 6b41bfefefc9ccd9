import { expect, test } from "vitest";
import { BOOT_PURPOSES, type LoadOrder } from "../../../core/event/kernel-run.ts";
import { appendOf } from "./machine.ts";
import { debugVcpus, memoryMiB, ordersOf, orderWord, silenceMs, wholeMs } from "./orders.ts";

const BOTH = { loads: ["toggle", "split"], threads: undefined } as const;
const SIZES = [1, 2, 3, 4, 8, 64];

/** `toggle 1, toggle 2` */
const words = (orders: readonly LoadOrder[]) =>
  orders.map(({ load, threads }) => `${load} ${threads}`).join(", ");

test.each([
  [4, BOTH, "toggle 1, toggle 2, toggle 4, split 1, split 2, split 4"],
  [3, BOTH, "toggle 1, toggle 2, toggle 3, split 1, split 2, split 3"],
  [1, BOTH, "toggle 1, split 1"],
  [4, { loads: ["split"], threads: [2, 3, 8] }, "split 2, split 3"],
] as const)("%d vCPUs: threads that fit, each load by itself", (vcpus, ask, expected) => {
  expect(words(ordersOf("time", vcpus, ask))).toBe(expected);
  expect(words(ordersOf("count", vcpus, ask))).toBe(expected);
});

test("checks: attribute changes beside toggling, which takes two threads", () => {
  expect([[1], [2], [1, 3], [1, 2, 4], [8]].map(debugVcpus)).toEqual([2, 2, 3, 4, 4]);
  expect(words(ordersOf("debug", 4, BOTH))).toBe("mixed 4");
});

test("the kernel takes every order: at most 127 characters, as many warm-ups as operations", () => {
  for (const purpose of BOOT_PURPOSES) {
    for (const order of SIZES.flatMap((vcpus) => ordersOf(purpose, vcpus, BOTH))) {
      expect(orderWord(order).length - "bootstorm.load=".length).toBeLessThan(128);
      expect(order.warmUp).toBeLessThanOrEqual(order.ops);
      expect(order.limitMs).toBeLessThanOrEqual(600_000);
    }
  }
});

test("the orders of the largest guest fit on a command line; far more do not, and that is told", () => {
  const most = ordersOf("time", 64, BOTH);
  expect(appendOf([], most)).toMatch(/^tsc=reliable nogbpages bootstorm\.load=toggle,threads=1,/);
  const threads = Array.from({ length: 64 }, (_, index) => index + 1);
  const tooMany = ordersOf("time", 64, { ...BOTH, threads });
  expect(() => appendOf([], tooMany)).toThrow(
    expect.objectContaining({ code: "COMMAND_LINE_TOO_LONG" }),
  );
});

test("memory: room for every large page that is split, as none becomes large again", () => {
  for (const vcpus of SIZES) {
    const orders = ordersOf("time", vcpus, BOTH);
    const pages = orders
      .filter(({ load }) => load === "split")
      .reduce((sum, { threads, ops, warmUp }) => sum + threads * (ops + warmUp), 0);
    expect(memoryMiB(orders)).toBeGreaterThan(2 * pages + 256);
    expect(memoryMiB(orders) % 128).toBe(0);
  }
  expect(memoryMiB(ordersOf("time", 4, BOTH))).toBe(1024);
});

test("a guest in which every order runs into its limit is not taken for one that hangs", () => {
  for (const purpose of BOOT_PURPOSES) {
    for (const vcpus of SIZES.slice(1)) {
      const orders = ordersOf(purpose, vcpus, BOTH);
      const limits = orders.map(({ limitMs }) => 2 * limitMs);
      expect(silenceMs(orders)).toBeGreaterThan(Math.max(...limits) + 10_000);
      expect(wholeMs(orders)).toBeGreaterThan(limits.reduce((a, b) => a + b) + 10_000);
    }
  }
});
