import fc from "fast-check";
import { expect, test } from "vitest";
import { type ConsoleSigns, createConsoleScan } from "./console-scan.ts";
import type { GuestMilestone } from "./milestones.ts";

type Marks = Partial<Record<GuestMilestone, string>>;

/** All that is told of a text that comes in these pieces. */
function scanned(pieces: readonly Buffer[], marks: Marks = {}): ConsoleSigns {
  const scan = createConsoleScan(marks);
  const found = pieces.map(scan);
  const panic = found.find((each) => each.panic !== undefined)?.panic;
  const signs = found.flatMap((each) => each.signs);
  return panic === undefined ? { signs } : { signs, panic };
}

const check = (text: string, expected: ConsoleSigns, marks?: Marks) =>
  expect(scanned([Buffer.from(text)], marks)).toEqual(expected);

test("our guest's lines tell of init and ready, with the guest's clock", () => {
  check("[ 0.1] hello\r\nbootstorm: init 0.52\r\nbootstorm: ready 1.042137\r\n", {
    signs: [
      { milestone: "init", guestNs: 520_000_000 },
      { milestone: "ready", guestNs: 1_042_137_000 },
    ],
  });
});

test("a line tells when it is whole, once, and only in its own form", () => {
  check("bootstorm: init 0.5", { signs: [] });
  check("bootstorm: init -1\nbootstorm: init 1e9\nbootstorm: panic 1\nbootstorm: init 12345678\n", {
    signs: [],
  });
  check("bootstorm: bootstorm: init 1\nbootstorm: init 2\n", {
    signs: [{ milestone: "init", guestNs: 1_000_000_000 }],
  });
});

test("a person's marks are plain text, not patterns; the empty one is the first byte", () => {
  const marks = { kernel: "", init: "a.c", ready: "login: " };
  check("", { signs: [] }, { init: "a.c" });
  check("abc", { signs: [{ milestone: "kernel" }] }, marks);
  check("a.c", { signs: [{ milestone: "kernel" }, { milestone: "init" }] }, marks);
});

test("a panic is told with the kernel's own words, cut at 200 characters", () => {
  const line = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
  check(`[    1.094906] ${line}\r\n`, { signs: [], panic: line });
  check("Kernel panic - \u001b[1;31mred\u0007", { signs: [] });
  check(`Kernel panic - ${"x".repeat(1000)}`, {
    signs: [],
    panic: `Kernel panic - ${"x".repeat(185)}`,
  });
});

test("where the pieces end changes nothing of what is told", () => {
  const words = [
    "bootstorm: init 1.5\n",
    "bootstorm: ",
    "ready 2\r\n",
    "Kernel panic - no\n",
    "ma",
  ];
  const filler = fc.stringMatching(/^[a-z\n]*$/, { maxLength: 300 });
  const text = fc
    .array(fc.oneof(fc.constantFrom(...words, "rk"), filler), { maxLength: 12 })
    .map((parts) => Buffer.from(parts.join("")));
  const cuts = fc.array(fc.nat({ max: 2_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(text, cuts, (bytes, at) => {
      const ends = [0, ...at.filter((cut) => cut < bytes.length), bytes.length].sort(
        (a, b) => a - b,
      );
      const pieces = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end));
      const marks = { kernel: "mark" };
      const byMilestone = ({ signs, panic }: ConsoleSigns) => ({
        signs: [...signs].sort((a, b) => (a.milestone < b.milestone ? -1 : 1)),
        panic,
      });
      expect(byMilestone(scanned(pieces, marks))).toEqual(byMilestone(scanned([bytes], marks)));
    }),
  );
});
