import { expect, test } from "vitest";
import { frontOf } from "./storm-front.ts";

test.each([
  { story: "the unsafe one is never on it", unsafe: [0], medians: [[1], [2]], front: "-x" },
  {
    story: "faster somewhere, slower elsewhere: both",
    medians: [
      [1, 9],
      [2, 3],
    ],
    front: "xx",
  },
  {
    story: "faster everywhere: alone",
    medians: [
      [1, 2],
      [2, 3],
    ],
    front: "x-",
  },
  {
    story: "equal but for noise: both",
    medians: [
      [1000, 2000],
      [1005, 1990],
    ],
    front: "xx",
  },
  { story: "nothing safe: nobody", unsafe: [0, 1], medians: [[1], [2]], front: "--" },
])("$story", ({ unsafe = [], medians, front }) => {
  const choices = medians.map((mediansMs, i) => ({ safe: !unsafe.includes(i), mediansMs }));
  expect(
    frontOf(choices)
      .map((each) => (each ? "x" : "-"))
      .join(""),
  ).toBe(front);
});
