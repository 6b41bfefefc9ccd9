import { expect, test } from "vitest";
import { smallHost } from "../../../test/fixtures/investigate.ts";
import type { Finding } from "../analyze/investigate.ts";
import { proseText } from "./prose.ts";
import { answerSentence } from "./sentence.ts";

const outcome = {
  phase: "free",
  processes: 2,
  ratio: { value: 0.85, low: 0.8, high: 0.91 },
  controlRatio: { value: 1.8, low: 1.7, high: 1.9 },
} as const;
const wait = {
  lock: { name: "cpa_lock", address: "0xffffffff83c5d1a0", evidence: "symbol" },
  shareOfTime: 0.31,
} as const;

const sentenceOf = (lead: Finding) => proseText(answerSentence({ ...smallHost, answer: { lead } }));

const claims: readonly (readonly [string, Finding, string])[] = [
  [
    "serialised, with its caller",
    {
      kind: "serialised",
      ...outcome,
      ...wait,
      phase: "fill",
      caller: "set_direct_map_invalid_noflush",
      callerShare: 1,
    },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes are serialised by cpa_lock: 2 processes taking fresh pages got 0.85× the pages per second of one, and 31 % of their time was spent waiting for it, called from set_direct_map_invalid_noflush.",
  ],
  [
    "held back, without call stacks",
    { kind: "held-back", ...outcome, ...wait },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes are held back by cpa_lock: 2 processes giving pages back got 0.85× the pages per second of one, and 31 % of their time was spent waiting for it.",
  ],
  [
    "a lock without a name",
    {
      kind: "serialised",
      ...outcome,
      lock: { ...wait.lock, evidence: "none" },
      shareOfTime: 0.4,
      caller: "f",
      callerShare: 0.6,
    },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes are serialised by the lock at 0xffffffff83c5d1a0: 2 processes giving pages back got 0.85× the pages per second of one, and 40 % of their time was spent waiting for it, mostly called from f.",
  ],
  [
    "no lock explains fill",
    { kind: "does-not-scale", ...outcome, phase: "fill", recorded: true, largestWait: wait },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes do not scale: 2 processes taking fresh pages got 0.85× the pages per second of one, but waiting for locks is not most of the loss: the largest wait, for cpa_lock, took 31 % of their time; each page also costs a TLB flush on all CPUs, which no lock event shows.",
  ],
  [
    "no lock waits at all",
    { kind: "does-not-scale", ...outcome, recorded: true },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes do not scale: 2 processes giving pages back got 0.85× the pages per second of one, but no wait for a lock was seen; what else limits it, this run cannot tell.",
  ],
  [
    "not recorded",
    { kind: "does-not-scale", ...outcome, recorded: false },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes do not scale: 2 processes giving pages back got 0.85× the pages per second of one, but lock waits were not recorded, so the cause is open.",
  ],
  [
    "scales",
    { kind: "scales", ...outcome, ratio: { value: 1.9, low: 1.8, high: 2 } },
    "On this kernel (6.18.44, 2 CPUs) direct-map changes scale: 2 processes giving pages back got 1.90× the pages per second of one.",
  ],
  [
    "undecided",
    { kind: "undecided", ...outcome, ratio: { value: 1.3, low: 0.9, high: 1.7 } },
    "On this kernel (6.18.44, 2 CPUs) this run cannot tell whether direct-map changes scale: 2 processes giving pages back got 1.30× (0.90 to 1.70) the pages per second of one.",
  ],
  [
    "a machine too busy to judge",
    { kind: "control-does-not-scale", processes: 2, ratio: { value: 1.1, low: 0.9, high: 1.2 } },
    "On this kernel (6.18.44, 2 CPUs) this run cannot judge direct-map changes: even plain memory, which needs none, got only 1.10× the pages per second of one with 2 processes.",
  ],
  [
    "one process",
    { kind: "no-comparison" },
    "On this kernel (6.18.44, 2 CPUs) only one process ran, so whether direct-map changes scale is open.",
  ],
];
test.each(claims)("the answer: %s", (_, lead, sentence) => {
  expect(sentenceOf(lead)).toBe(sentence);
});
