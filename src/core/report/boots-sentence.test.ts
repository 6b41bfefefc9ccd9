// What the first line says, for storms that differ in what there is to say.
import { expect, test } from "vitest";
import { bootOf, roundOf, roundOfTimes, sharingRound } from "../../../test/fixtures/boot-rounds.ts";
import { confidentialStorm, limitedStorm, plainStorm } from "../../../test/fixtures/boot-storms.ts";
import { bootsResult } from "../analyze/boots-result.ts";
import type { BootRound } from "../event/boot.ts";
import { bootsAnswer, bootsFindings } from "./boots-sentence.ts";
import { proseText } from "./prose.ts";

const answerOf = (rounds: readonly BootRound[]) =>
  proseText(bootsAnswer(bootsResult(rounds, [], { seed: 1 })));

const repeat = (times: number, roundAt: (repetition: number) => BootRound) =>
  Array.from({ length: times }, (_, repetition) => roundAt(repetition));

test("growth, its shape, locks, and what explains it", () => {
  expect(proseText(bootsAnswer(plainStorm))).toMatch(
    /^16 VMs at once take 6\.\d\d s each instead of the 8\d\d ms of 1 VM: 7\.\d\d×; from 2 VMs on each further one adds 4\d\d ms; nothing of it is waiting for locks on this host; 100 % is waiting for a CPU\.$/,
  );
});

test("confidential VMs, the lock they wait for, and plain ones beside them", () => {
  expect(proseText(bootsAnswer(confidentialStorm))).toMatch(
    /^16 confidential VMs at once take .*; 1\d % of it is waiting for locks on this host, most for zone->lock; 89 % is waiting for a CPU; plain ones take 7\.\d\d s\.$/,
  );
});

test("one number of VMs, and the limit that helps", () => {
  expect(proseText(bootsAnswer(limitedStorm))).toMatch(
    /^16 VMs at once are ready 6\.\d\d s after they are asked for, all of them after 6\.\d\d s; at most 2 at a time they take 44 % less on average since the request\.$/,
  );
});

test.each([
  { name: "nothing", rounds: [], says: "No round was measured." },
  {
    name: "no growth",
    rounds: [roundOfTimes([900]), roundOfTimes([900, 900])],
    says: "2 VMs at once take 900 ms each, as 1 VM does.",
  },
  {
    name: "one VM",
    rounds: [roundOfTimes([900])],
    says: "1 VM is ready 900 ms after it is asked for.",
  },
  {
    name: "arrivals one after the other are not at once",
    rounds: [
      roundOf([
        bootOf({ requested: 0, admitted: 0, ready: 900 }),
        bootOf({ requested: 500, admitted: 500, ready: 1400 }),
      ]),
    ],
    says: "2 VMs are ready 900 ms after they are asked for, all of them after 1.40 s.",
  },
  {
    name: "only failures",
    rounds: [roundOf([bootOf({ requested: 0 }, { outcome: "timeout" })])],
    says: "No VM got ready: 1 boot timed out.",
  },
  {
    name: "some failures",
    rounds: [
      roundOf([bootOf({ requested: 0, admitted: 0, ready: 9 }), bootOf({}, { outcome: "killed" })]),
    ],
    says: "2 VMs at once are ready 9.00 ms after they are asked for; 1 of 2 boots failed.",
  },
])("$name", ({ rounds, says }) => {
  expect(answerOf(rounds)).toBe(says);
});

test("without a recording it says that, and blames no lock", () => {
  const rounds = [1, 4].flatMap((vms) =>
    repeat(3, (repetition) => sharingRound(vms, { cpus: 1, workMs: 500 }, { repetition })),
  );
  expect(answerOf(rounds)).toContain(
    "; what of it is waiting for locks was not recorded; 100 % is waiting for a CPU.",
  );
});

test("pressure beside the boots stands beside them in the answer", () => {
  const rounds = [0, 4].flatMap((pressure) =>
    repeat(3, (repetition) =>
      roundOfTimes(Array(8).fill(900 + 300 * pressure), { pressure, repetition }),
    ),
  );
  const result = bootsResult(rounds, [], { seed: 1 });
  expect(proseText(bootsAnswer(result))).toBe(
    "8 VMs at once are ready 900 ms after they are asked for, all of them after 900 ms; beside 4 pressure processes they take 2.10 s.",
  );
  expect(bootsFindings(result).map(proseText)).toEqual([
    "8 VMs, beside 4 pressure processes: mean since the request +133 % (+133 to +133 %), p95 +133 % (+133 to +133 %), until all are ready +133 % (+133 to +133 %), against no pressure.",
  ]);
});
