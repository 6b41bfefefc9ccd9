import { expect, it } from "vitest";
import { randomFrom } from "../random.ts";
import { exp, exponentialOf, ln, normalQuantile } from "./exact-math.ts";

it("logarithm and exponential agree with the engine's to 13 digits", () => {
  for (let i = -300; i <= 300; i += 1) {
    const x = i / 10;
    expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
    const y = 1.07 ** i;
    expect(Math.abs(ln(y) - Math.log(y))).toBeLessThan(1e-13 * Math.max(1, Math.abs(Math.log(y))));
  }
});

it("the exponential of every 32-bit integer is the logarithm it stands for", () => {
  for (const u of [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff]) {
    expect(exponentialOf(u)).toBeCloseTo(-Math.log((u + 0.5) / 2 ** 32), 9);
  }
  const random = randomFrom(7);
  let sum = 0;
  for (let i = 0; i < 100_000; i += 1) sum += exponentialOf(random.u32());
  expect(Math.abs(sum / 100_000 - 1)).toBeLessThan(0.01);
});

it("normal quantiles are those of the tables", () => {
  for (const [p, z] of [
    [0.5, 0],
    [0.975, 1.959963985],
    [0.025, -1.959963985],
    [0.999, 3.090232306],
    [0.0001, -3.719016485],
  ] as const) {
    expect(normalQuantile(p)).toBeCloseTo(z, 7);
  }
});
