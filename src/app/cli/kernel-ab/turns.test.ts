import fc from "fast-check";
import { expect, test } from "vitest";
import {
  createTrials,
  goesOn,
  type Repetitions,
  type Standing,
  type Turn,
  turnsOf,
} from "./turns.ts";

/** `A1 B1`: arm and vCPUs. */
const words = (turns: readonly Turn[]) =>
  turns.map(({ arm, vcpus }) => `${"ABCDEFGH"[arm]}${vcpus}`).join(" ");

test("A B, B A, A B: turn and back, at each size by itself", () => {
  expect([0, 1, 2].map((repetition) => words(turnsOf(repetition, [0, 1], [1, 4])))).toEqual([
    "A1 B1 A4 B4",
    "B1 A1 B4 A4",
    "A1 B1 A4 B4",
  ]);
});

test("over two repetitions every arm has the same mean place, and each boots once at each size", () => {
  const size = fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), size, fc.nat(99), (count, vcpus, pair) => {
      const arms = Array.from({ length: count }, (_, arm) => arm);
      const both = [2 * pair, 2 * pair + 1].map((repetition) => turnsOf(repetition, arms, vcpus));
      const places = (arm: number) =>
        both.flatMap((turns) => turns.flatMap((turn, place) => (turn.arm === arm ? [place] : [])));
      const sums = arms.map((arm) => places(arm).reduce((a, b) => a + b, 0));
      expect(new Set(sums).size).toBe(1);
      for (const turns of both) {
        expect(new Set(turns.map((turn) => words([turn]))).size).toBe(count * vcpus.length);
        expect(turns.length).toBe(count * vcpus.length);
      }
    }),
  );
});

test("a drift of the host, linear in time, favours no arm", () => {
  const drift = (turns: readonly Turn[][]) => {
    const totals = [0, 0, 0];
    for (const [place, { arm }] of turns.flat().entries()) totals[arm]! += place;
    return totals;
  };
  const [a, b, c] = drift([0, 1, 2, 3].map((repetition) => turnsOf(repetition, [0, 1, 2], [2])));
  expect([b, c]).toEqual([a, a]);
});

/** What happens to arm 1 of 2 with sizes 1 and 4: `1x 4.` is failed at 1, of use at 4. */
function afterwards(story: string) {
  const trials = createTrials(2, [1, 4]);
  const said = story.split(" ").map((word) => {
    const turn = { arm: 1, vcpus: Number(word[0]) };
    return trials.note(turn, word[1] === ".");
  });
  return { last: said.at(-1), left: trials.left().map((arms) => arms.join("")) };
}

test.each([
  ["one failure is a chance", "1x", undefined, ["01", "01"]],
  ["two in a row at one size: given up there", "1. 4. 4x 4x", "here", ["01", "0"]],
  ["of use in between", "1. 4. 4x 4. 4x", undefined, ["01", "01"]],
  ["never of use at any size: given up everywhere, at once", "1x 4x", "everywhere", ["0", "0"]],
  ["never of use at one size only", "1. 4x", undefined, ["01", "01"]],
  ["given up at one size after the other", "1. 4. 1x 1x 4x 4x", "everywhere", ["0", "0"]],
  ["told once", "1. 4. 4x 4x 4x", undefined, ["01", "0"]],
] as const)("%s", (_, story, last, left) => {
  expect(afterwards(story)).toEqual({ last, left });
});

test("the base can be given up like any other", () => {
  const trials = createTrials(3, [2]);
  expect(trials.note({ arm: 0, vcpus: 2 }, false)).toBe("everywhere");
  expect(trials.isGivenUp({ arm: 0, vcpus: 2 })).toBe(true);
  expect(trials.left()).toEqual([[1, 2]]);
});

const TIGHT: Repetitions = { kind: "until-tight", least: 6, most: 20, budgetMs: 60_000 };
const standing = (changed: Partial<Standing>): Standing => ({
  repetitions: 6,
  elapsedMs: 10_000,
  longestMs: 1_000,
  isAlone: false,
  isIdle: false,
  isTight: () => false,
  ...changed,
});

test.each<[string, Partial<Standing>, boolean]>([
  ["not tight yet", {}, true],
  ["tight", { isTight: () => true }, false],
  ["tight, but too few to show anything", { repetitions: 4, isTight: () => true }, true],
  ["a turn without its way back", { repetitions: 7, isTight: () => true }, true],
  ["two more would just end in time", { elapsedMs: 58_000 }, true],
  ["they would not", { elapsedMs: 58_001 }, false],
  ["nor before the least: time is kept", { repetitions: 4, elapsedMs: 58_001 }, false],
  ["the first two are made whatever they take", { repetitions: 1, elapsedMs: 90_000 }, true],
  ["enough is enough", { repetitions: 20 }, false],
  ["no two kernels are left", { isAlone: true }, false],
  ["no kernel is left at all", { repetitions: 0, isIdle: true }, false],
])("until tight: %s", (_, changed, expected) => {
  expect(goesOn(TIGHT, standing(changed))).toBe(expected);
});

test("exactly so many, tight or not, whatever it takes", () => {
  const rule: Repetitions = { kind: "exactly", count: 3 };
  const late = { elapsedMs: 1e9, isTight: () => true, isAlone: true };
  const goes = [0, 1, 2, 3].map((repetitions) => goesOn(rule, standing({ ...late, repetitions })));
  expect(goes).toEqual([true, true, true, false]);
});

test("a run never begins two repetitions that would end after its time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 40 }), (lengths) => {
      let [repetitions, elapsedMs, longestMs] = [0, 0, 0];
      while (goesOn(TIGHT, standing({ repetitions, elapsedMs, longestMs }))) {
        const ms = lengths[repetitions]!;
        repetitions += 1;
        elapsedMs += ms;
        longestMs = Math.max(longestMs, ms);
      }
      expect(repetitions % 2).toBe(0);
      expect(repetitions).toBeLessThanOrEqual(TIGHT.kind === "until-tight" ? TIGHT.most : 0);
      // The last two may be the longest so far, and so may take longer than was reckoned with.
      const before = lengths.slice(0, repetitions - 2);
      if (before.length < 2) return;
      const reckoned = before.reduce((a, b) => a + b, 0) + 2 * Math.max(...before);
      expect(reckoned).toBeLessThanOrEqual(60_000);
    }),
  );
});
