import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bootOf, roundOf, roundOfTimes, sharingRound } from "../../../test/fixtures/boot-rounds.ts";
import { BootstormError } from "../error.ts";
import {
  type BootRecord,
  type BootRound,
  type ConsoleKept,
  MILESTONES,
  OUTCOMES,
  type RoundLoad,
} from "./boot.ts";
import { ROUNDS_VERSION, readRounds, roundLine, roundsHeaderLine } from "./boot-codec.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (...lines: readonly string[]) => bytes(roundsHeaderLine() + lines.join(""));

const failed = bootOf(
  { requested: 0, admitted: 0, spawned: 2 },
  {
    name: "vm-1",
    outcome: "panic",
    why: "the kernel panicked",
    consoleTail: ["Kernel panic - not syncing", "\u001b[31m<script>"],
  },
);
const mixed = roundOf([bootOf({ requested: 0, admitted: 3, ready: 900 }), failed], {
  role: "warm-up",
  kind: "confidential",
  limit: "boot-cap-aimd",
  pressure: 4,
});

// A field that joins the types must join here, and then the reader.
const everything: Required<BootRecord> = {
  ...failed,
  why: "the kernel panicked",
  consoleTail: ["Kernel panic"],
  seen: { spawned: { atNs: 2, source: "driver", guestNs: 1 } },
  pid: 77,
  threads: { 77: "qemu-system-x86", 78: "CPU 0/TCG" },
  cpuNs: 1,
  vcpuCpuNs: 2,
  vcpuRunDelayNs: 3,
  memoryBytes: 4,
  console: {
    bytes: 6,
    keptBytes: 5,
    lostBecause: "the disk is full",
  } satisfies Required<ConsoleKept>,
};
const load: Required<RoundLoad> = {
  cpuBusyShare: 0.9,
  otherCpuNs: 1,
  cpuPressureShare: 0.1,
  memAvailableBytesLow: 2,
};

describe("what is written is read again", () => {
  test("rounds with every field, and with failures", () => {
    const whole: Required<BootRound> = { ...roundOf([everything]), load };
    const rounds = [sharingRound(4, { cpus: 2, workMs: 840, noiseShare: 0.1 }), mixed, whole];
    expect(readRounds(file(...rounds.map(roundLine)))).toEqual({ rounds, rejects: [] });
  });

  test("any round", () => {
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const text = fc.string({ unit: "binary", maxLength: 50 });
    const seen = fc.dictionary(
      fc.constantFrom(...MILESTONES),
      fc.record(
        { atNs: count, source: fc.constantFrom("driver", "serial"), guestNs: count },
        { requiredKeys: ["atNs", "source"] },
      ),
      { noNullPrototype: true },
    );
    const failedBoot = fc.record(
      {
        name: text,
        group: text,
        accelerator: fc.constantFrom("snp", "kvm", "tcg", "command"),
        seen,
        outcome: fc.constantFrom(...OUTCOMES.filter((outcome) => outcome !== "ready")),
        why: text,
        consoleTail: fc.array(text, { maxLength: 3 }),
        pid: count,
        cpuNs: count,
        vcpuCpuNs: count,
        vcpuRunDelayNs: count,
        memoryBytes: count,
        console: fc.record(
          { bytes: count, keptBytes: count, lostBecause: text },
          { requiredKeys: ["bytes", "keptBytes"] },
        ),
      },
      { requiredKeys: ["name", "group", "accelerator", "seen", "outcome"] },
    );
    fc.assert(
      fc.property(fc.array(failedBoot, { minLength: 1, maxLength: 3 }), text, (boots, limit) => {
        const round = { ...roundOf([], { limit }), vms: boots.length, boots } as BootRound;
        expect(readRounds(file(roundLine(round)))).toEqual({ rounds: [round], rejects: [] });
      }),
    );
  });

  test("a reason and a console tail that are too long are cut, the tail's beginning first", () => {
    const boot = {
      ...failed,
      why: "x".repeat(5_000),
      consoleTail: Array.from({ length: 150 }, (_, i) => `${i} ${"y".repeat(2_000)}`),
    };
    const { rounds, rejects } = readRounds(file(roundLine(roundOf([boot]))));
    expect(rejects).toEqual([]);
    const [read] = rounds[0]!.boots;
    expect(read!.why).toHaveLength(2_000);
    expect(read!.consoleTail).toHaveLength(100);
    expect(read!.consoleTail![0]).toMatch(/^50 y{997}$/);
  });

  test("a round that could not be read back is a bug of who writes it", () => {
    expect(() => roundLine(roundOfTimes([1], { spanNs: 0.5 }))).toThrow(/^bug: .*spanNs/);
  });
});

describe("a line that is no round is counted by reason and does no harm", () => {
  const good = roundLine(roundOfTimes([900]));
  const changed = (change: (round: Record<string, unknown>) => void) => {
    const round = JSON.parse(good);
    change(round);
    return `${JSON.stringify(round)}\n`;
  };
  const inBoot = (fields: Record<string, unknown>) =>
    changed((round) => Object.assign((round.boots as object[])[0]!, fields));
  const times = (requested: number, admitted: number, ready: number) =>
    Object.fromEntries(
      Object.entries({ requested, admitted, ready }).map(([milestone, atNs]) => [
        milestone,
        { atNs, source: "driver" },
      ]),
    );
  test.each([
    ["what a killed run left", good.slice(0, 40), "the line is not JSON"],
    ["another document", "[]\n", "the round: not an object"],
    ["a VM without its row", changed((round) => (round.vms = 2)), "boots: not one for each VM"],
    ["nobody", changed((round) => Object.assign(round, { vms: 0, boots: [] })), "vms: none"],
    ["an unknown role", changed((round) => (round.role = "best")), "role: not a word we know"],
    ["a negative time", changed((round) => (round.spanNs = -1)), "spanNs: out of range"],
    ["not a number", changed((round) => (round.spanNs = null)), "spanNs: not a number"],
    ["half a VM", changed((round) => (round.repetition = 0.5)), "repetition: not a whole number"],
    ["no load", changed((round) => delete round.load), "load: not an object"],
    [
      "an origin that is no number",
      changed((round) => (round.originNs = "0x10")),
      "originNs: not a decimal number as text",
    ],
    ["a long name", inBoot({ name: "x".repeat(300) }), "name: too long"],
    ["a name that is none", inBoot({ name: { toString: 1 } }), "name: not a text"],
    ["an unknown outcome", inBoot({ outcome: "fine" }), "outcome: not a word we know"],
    ["ready at no time", inBoot({ seen: {} }), "a boot is ready and its times are not known"],
    ["ready too early", inBoot({ seen: times(0, 5, 5) }), "a boot is ready before it began"],
    ["a milestone that is none", inBoot({ seen: { ready: 5 } }), "a milestone: not an object"],
    ["a flood", inBoot({ consoleTail: Array(101).fill("") }), "consoleTail: too many"],
    [
      "a thread with a path for its id",
      inBoot({ threads: { "../1": "x" } }),
      "threads: a thread id is no number",
    ],
  ])("%s", (_, line, why) => {
    const { rounds, rejects } = readRounds(file(good, line, line, "\n", good));
    // The unfinished line takes the one behind it along, as the last of a file it is alone.
    if (!line.endsWith("\n")) {
      expect(readRounds(file(good, line)).rejects).toEqual([{ why, count: 1 }]);
      return;
    }
    expect(rounds).toHaveLength(2);
    expect(rejects).toEqual([{ why, count: 2 }]);
  });

  test("no bytes at all make it throw but by its own errors", () => {
    const wellBegun = fc
      .array(fc.oneof(fc.json(), fc.string(), fc.constant(good)), { maxLength: 5 })
      .map((lines) => file(...lines.map((line) => `${line}\n`)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), wellBegun), (input) => {
        try {
          const { rounds } = readRounds(input);
          for (const round of rounds) expect(round.boots).toHaveLength(round.vms);
        } catch (error) {
          expect(error).toBeInstanceOf(BootstormError);
        }
      }),
    );
  });

  test("unknown keys are left behind", () => {
    const { rounds } = readRounds(file(changed((round) => (round.extra = 1))));
    expect(rounds).toEqual([roundOfTimes([900])]);
  });
});

describe("files that are refused", () => {
  test.each([
    ["empty", ""],
    ["a round first", roundLine(roundOfTimes([900]))],
    ["another format", '{"format":"results","version":1}\n'],
    ["version 0", '{"format":"bootstorm rounds","version":0}\n'],
    ["no version", '{"format":"bootstorm rounds"}\n'],
  ])("%s", (_, text) => {
    expect(() => readRounds(bytes(text))).toThrow(
      expect.objectContaining({ code: "BAD_ROUNDS", exit: 4 }),
    );
  });

  test("one of a later version, with both numbers", () => {
    const later = `{"format":"bootstorm rounds","version":${ROUNDS_VERSION + 1}}\n`;
    expect(() => readRounds(bytes(later))).toThrow(
      expect.objectContaining({
        code: "NEWER_ROUNDS",
        why: expect.stringContaining(`version ${ROUNDS_VERSION + 1}`),
      }),
    );
  });
});
