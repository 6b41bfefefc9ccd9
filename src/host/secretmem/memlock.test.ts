import { expect, test } from "vitest";
import { parseMemlockLimit } from "./memlock.ts";

const limits = (soft: string, hard: string) =>
  [
    "Limit                     Soft Limit           Hard Limit           Units     ",
    "Max processes             95000                95000                processes ",
    `Max locked memory         ${soft.padEnd(20)} ${hard.padEnd(20)} bytes     `,
    "Max file locks            unlimited            unlimited            locks     ",
  ].join("\n");

test.each([
  { soft: "8388608", hard: "8388608", softBytes: 8388608, hardBytes: 8388608 },
  { soft: "65536", hard: "unlimited", softBytes: 65536, hardBytes: Number.POSITIVE_INFINITY },
  { soft: "0", hard: "0", softBytes: 0, hardBytes: 0 },
])("soft $soft, hard $hard", ({ soft, hard, softBytes, hardBytes }) => {
  expect(parseMemlockLimit(limits(soft, hard))).toEqual({ softBytes, hardBytes });
});
