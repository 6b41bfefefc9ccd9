import { expect, test } from "vitest";
import { checkHistory, type HistoryRules } from "./history.ts";
import type { EndOfPermit, Permit, PermitEvent } from "./permit.ts";

const ms = (at: number) => at * 1e6;
const asked = (at: number, id: number, more = {}): PermitEvent => {
  const plain = { key: `k${id}`, vm: "v", tenant: 0, priority: 0, leaseNs: ms(100) };
  return { kind: "asked", atNs: ms(at), ask: { id, ...plain, ...more } };
};
const granted = (at: number, id: number, cap?: number): PermitEvent => ({
  kind: "granted",
  atNs: ms(at),
  id,
  ...(cap === undefined ? {} : { cap }),
});
const ended = (at: number, id: number, how: EndOfPermit = "released"): PermitEvent => ({
  kind: "ended",
  atNs: ms(at),
  id,
  how,
});
const renewed = (at: number, id: number): PermitEvent => ({
  kind: "renewed",
  atNs: ms(at),
  id,
  leaseNs: ms(100),
});
const opened = (at: number): PermitEvent => ({ kind: "opened", atNs: ms(at) });

const cases: readonly [
  story: string,
  events: readonly PermitEvent[],
  faults: readonly string[],
  rules?: Partial<HistoryRules>,
][] = [
  ["nothing", [], []],
  ["one after the other", [asked(0, 1), granted(0, 1, 1), ended(9, 1), asked(9, 2)], []],
  [
    "more than the cap",
    [asked(0, 1), asked(0, 2), granted(0, 1, 1), granted(0, 2, 1)],
    ["2 are in force, the cap is 1"],
  ],
  [
    "a cap that sinks stops nobody, but lets nobody in",
    [
      asked(0, 1),
      asked(0, 2),
      asked(0, 3),
      granted(0, 1, 2),
      granted(0, 2, 2),
      ended(1, 1),
      granted(1, 3, 1),
    ],
    ["2 are in force, the cap is 1"],
  ],
  [
    "what the events say of the cap does not excuse them",
    [asked(0, 1), asked(0, 2), granted(0, 1), granted(0, 2)],
    ["2 are in force, the cap is 1"],
    { cap: 1 },
  ],
  [
    "granted twice",
    [asked(0, 1), granted(0, 1), granted(1, 1)],
    ["1 is granted, but does not wait"],
  ],
  [
    "granted after the end",
    [asked(0, 1), ended(1, 1), granted(2, 1)],
    ["1 is granted, but does not wait"],
  ],
  ["never asked", [granted(0, 1)], ["1 is granted, but does not wait"]],
  ["a key with two permits", [asked(0, 1), asked(1, 2, { key: "k1" })], ["key k1 has two permits"]],
  ["a key again after its end", [asked(0, 1), ended(1, 1), asked(2, 2, { key: "k1" })], []],
  [
    "a number with two permits",
    [asked(0, 1), asked(1, 1, { key: "x" })],
    ["1 is the number of two permits"],
  ],
  [
    "past a later one of the same line",
    [asked(0, 1), asked(0, 2), granted(1, 2)],
    ["2 goes before 1, who came first"],
  ],
  ["a higher priority may pass", [asked(0, 1), asked(0, 2, { priority: 1 }), granted(1, 2)], []],
  ["another tenant may pass", [asked(0, 1), asked(0, 2, { tenant: 1 }), granted(1, 2)], []],
  ["who gave up is passed", [asked(0, 1), asked(0, 2), ended(0, 1), granted(1, 2)], []],
  [
    "in force after the lease",
    [asked(0, 1), granted(0, 1), ended(103, 1)],
    ["1 is in force 3000000 ns after its lease"],
  ],
  ["a little late is allowed", [asked(0, 1), granted(0, 1), ended(102, 1)], []],
  ["renewed in time", [asked(0, 1), granted(0, 1), renewed(90, 1), ended(190, 1)], []],
  [
    "renewed too late",
    [asked(0, 1), granted(0, 1), renewed(110, 1)],
    ["1 is in force 10000000 ns after its lease"],
  ],
  [
    "never ended",
    [asked(0, 1), granted(0, 1), asked(110, 2)],
    ["1 is in force 10000000 ns after its lease"],
  ],
  ["no daemon was there to end it", [asked(0, 1), granted(0, 1), opened(500), ended(501, 1)], []],
  [
    "expired too early",
    [asked(0, 1), granted(0, 1), ended(99, 1, "expired")],
    ["1 expires before its lease"],
  ],
  ["ended twice", [asked(0, 1), ended(1, 1), ended(2, 1)], ["1 ends, but is not there"]],
  ["time goes back", [asked(5, 1), asked(4, 2)], ["time goes back by 1000000 ns"]],
];

test.each(cases)("%s", (_story, events, faults, rules = {}) => {
  const found = checkHistory(events, { toleranceNs: ms(2), ...rules });
  expect(found.map(({ fault }) => fault)).toEqual(faults);
});

test("a history may begin with permits that wait and are in force", () => {
  const { ask } = asked(0, 1) as PermitEvent & { kind: "asked" };
  const live: readonly Permit[] = [
    { ask, state: "granted", askedNs: 0, leaseNs: ms(100), grantedNs: 0, leaseEndsNs: ms(100) },
    { ask: { ...ask, id: 2, key: "k2" }, state: "waiting", askedNs: 0, leaseNs: ms(100) },
  ];
  const rules = { toleranceNs: 0, cap: 1, live };
  expect(checkHistory([ended(5, 1), granted(5, 2)], rules)).toEqual([]);
  expect(checkHistory([granted(5, 2)], rules)).toHaveLength(1);
});
