import fc from "fast-check";
import { expect, test } from "vitest";
import { virtualTime } from "../../../test/fixtures/virtual-time.ts";
import type { PolicySpec } from "../policy/policy.ts";
import { type Random, randomFrom } from "../random.ts";
import { explainPermit } from "./explain.ts";
import { checkHistory } from "./history.ts";
import { emptyLedger, type Ledger, openLedger } from "./ledger.ts";
import type { Holder, LedgerState, PermitAsk, PermitEvent } from "./permit.ts";

const S = 1e9;
const CAP_2: readonly PolicySpec[] = [{ name: "boot-cap", options: { boots: 2 } }];

const wish = (key: string, more: Partial<PermitAsk> = {}): Omit<PermitAsk, "id"> => ({
  key,
  vm: key,
  tenant: 0,
  priority: 0,
  leaseNs: 30 * S,
  ...more,
});

/** A ledger on a clock of its own, with all that it has recorded. */
function opened(state: LedgerState = emptyLedger(CAP_2), past: readonly PermitEvent[] = []) {
  const time = virtualTime();
  const events: PermitEvent[] = [...past];
  const surroundings = {
    time,
    runs: () => true,
    record: (event: PermitEvent) => {
      events.push(event);
    },
  };
  time.advanceTo(past.at(-1)?.atNs ?? 0);
  return { ledger: openLedger(surroundings, state, past), time, events };
}

const stateOf = (ledger: Ledger, key: string) => ledger.findKey(key)?.state;

test("a key is a permit: who asks twice gets the same one, once granted it stays granted", () => {
  const { ledger } = opened();
  const first = ledger.ask(wish("a"));
  expect(ledger.ask(wish("a")).ask.id).toBe(first.ask.id);
  expect(ledger.gauges()).toMatchObject({ inForce: 1, waiting: 0, cap: 2 });
  ledger.end(first.ask.id, "released", { failed: false });
  ledger.end(first.ask.id, "released", { failed: false });
  expect(ledger.ask(wish("a")).state).toBe("ended");
});

test("who gave up may come back with the same key", () => {
  const { ledger } = opened();
  for (const key of ["a", "b", "c"]) ledger.ask(wish(key));
  const { id } = ledger.findKey("c")!.ask;
  ledger.end(id, "gave-up");
  expect(ledger.ask(wish("c")).ask.id).toBeGreaterThan(id);
});

test("a lease that is not renewed ends, and the next one goes", () => {
  const { ledger, time } = opened();
  for (const key of ["a", "b", "c"]) ledger.ask(wish(key));
  ledger.attach(ledger.findKey("c")!.ask.id);
  time.advanceTo(20 * S);
  ledger.renew(ledger.findKey("a")!.ask.id);
  expect(stateOf(ledger, "c")).toBe("waiting");
  time.advanceTo(30 * S);
  expect(["a", "b", "c"].map((key) => stateOf(ledger, key))).toEqual([
    "granted",
    "ended",
    "granted",
  ]);
  expect(ledger.findKey("b")).toMatchObject({ how: "expired", endedNs: 30 * S });
});

test("a deadline ends the wait, not the boot", () => {
  const { ledger, time } = opened();
  ledger.ask(wish("a", { deadlineNs: 5 * S }));
  ledger.ask(wish("b"));
  const late = ledger.ask(wish("c", { deadlineNs: 5 * S })).ask.id;
  time.advanceTo(5 * S);
  expect(stateOf(ledger, "a")).toBe("granted");
  expect(ledger.find(late)).toMatchObject({ state: "ended", how: "gave-up" });
});

test("who waits and is not listened for stays for one lease, and as long as somebody asks after it", () => {
  const { ledger, time } = opened();
  for (const key of ["a", "b", "c", "d"]) ledger.ask(wish(key));
  const renewAll = () => {
    for (const key of ["a", "b"]) ledger.renew(ledger.findKey(key)!.ask.id);
  };
  time.advanceTo(20 * S);
  renewAll();
  ledger.touch(ledger.findKey("d")!.ask.id);
  time.advanceTo(40 * S);
  renewAll();
  expect(stateOf(ledger, "c")).toBe("ended");
  expect(stateOf(ledger, "d")).toBe("waiting");
  ledger.attach(ledger.findKey("d")!.ask.id);
  for (let at = 50; at <= 200; at += 10) {
    time.advanceTo(at * S);
    renewAll();
  }
  expect(stateOf(ledger, "d")).toBe("waiting");
});

test("higher priority goes first; the position says so, and the expected wait follows the boots", () => {
  const { ledger, time } = opened();
  for (const key of ["a", "b", "c"]) ledger.ask(wish(key));
  const high = ledger.ask(wish("high", { priority: 5 }));
  expect(ledger.position(high)).toBe(0);
  expect(ledger.position(ledger.findKey("c")!)).toBe(1);
  expect(ledger.expectedWaitNs(0)).toBeUndefined();
  time.advanceTo(4 * S);
  ledger.end(ledger.findKey("a")!.ask.id, "released", { failed: false });
  expect(stateOf(ledger, "high")).toBe("granted");
  expect(ledger.expectedWaitNs(0)).toBe(2 * S); // One place of two is free every 2 s.
});

test("the words for a wait name time, boots, cap and what set the cap", () => {
  const policy = [{ name: "boot-cap-delay", options: { bootsStart: 4, bootsMin: 3 } }];
  const { ledger, time } = opened(emptyLedger(policy));
  for (const key of ["a", "b", "c"]) ledger.ask(wish(key));
  ledger.observe({ kind: "lock-wait", share: 0.41 });
  time.advanceTo(0.2 * S);
  ledger.observe({ kind: "lock-wait", share: 0.41 });
  const waiting = ledger.ask(wish("d"));
  time.advanceTo(2 * S);
  expect(explainPermit(waiting, time.nowNs(), 0)).toBe(
    "held 1.80 s: 3 boots in service, cap 3 because lock wait 41 % > 20 %",
  );
});

test("the words for a cap that follows work: CPUs, CPU time per boot, idle CPUs", () => {
  const { ledger, time } = opened(emptyLedger([{ name: "boot-cap-work", options: {} }]));
  const words = (key: string) => {
    const asked = ledger.ask(wish(key));
    ledger.attach(asked.ask.id);
    return explainPermit(asked, time.nowNs(), 0);
  };
  const cpu = (idleShare: number) =>
    ledger.observe({ kind: "host-cpu", cpus: 32, idleShare, bootShare: 1 - idleShare });
  /** As many as are in service end after a second, of this CPU time; others take their place. */
  const round = (cpuNs: number) => {
    time.advanceTo(time.nowNs() + S);
    for (const { ask, state } of [...ledger.live()]) {
      if (state === "granted") ledger.end(ask.id, "released", { failed: false, cpuNs });
    }
  };
  cpu(1);
  for (let n = 0; n < 90; n += 1) ledger.attach(ledger.ask(wish(`k${n}`)).ask.id);
  expect(words("a")).toBe(
    "held 0 ns: 4 boots in service, cap 4 to begin with: nothing was measured yet",
  );
  cpu(0.77);
  round(1.82 * S);
  expect(words("b")).toBe("held 0 ns: 16 boots in service, cap 16 raised: 77 % of the CPUs idle");
  round(5.46 * S);
  expect(words("c")).toMatch(/cap 11 because CPU time per boot 5\.46 s > 2 × 1\.82 s$/);
});

test("a ledger that was lost grants nothing until the hold is over, then by priority", () => {
  const { ledger, time } = opened(emptyLedger(CAP_2, 10 * S));
  for (const [i, key] of ["a", "b", "c"].entries()) ledger.ask(wish(key, { priority: i }));
  time.advanceTo(10 * S - 1);
  expect(ledger.gauges()).toMatchObject({ inForce: 0, waiting: 3 });
  expect(explainPermit(ledger.findKey("a")!, time.nowNs(), ledger.heldUntilNs)).toContain("lost");
  time.advanceTo(10 * S);
  expect(["a", "b", "c"].map((key) => stateOf(ledger, key))).toEqual([
    "waiting",
    "granted",
    "granted",
  ]);
});

test("another policy: who is in force stays it, who waits is decided anew", () => {
  const { ledger } = opened();
  for (const key of ["a", "b", "c", "d"]) ledger.ask(wish(key));
  ledger.setPolicy([{ name: "boot-cap", options: { boots: 1 } }]);
  expect(ledger.gauges()).toMatchObject({ inForce: 2, waiting: 2, cap: 1 });
  ledger.end(ledger.findKey("a")!.ask.id, "released", { failed: false });
  expect(stateOf(ledger, "c")).toBe("waiting");
  ledger.setPolicy([{ name: "boot-cap", options: { boots: 3 } }]);
  expect(ledger.gauges()).toMatchObject({ inForce: 3, waiting: 0 });
});

test("of holders that are found at the opening who runs gets a new lease, who does not is over", () => {
  const events: PermitEvent[] = [];
  const time = virtualTime();
  const record = (event: PermitEvent) => void events.push(event);
  const holder = (pid: number) => ({ holder: { pid, startTicks: "1" } });
  const first = openLedger({ time, record, runs: () => true }, emptyLedger(CAP_2));
  first.ask(wish("a", holder(1)));
  first.ask(wish("b", holder(2)));
  first.ask(wish("c"));
  time.forgetTimers();
  time.advanceTo(100 * S);
  const runs = ({ pid }: Holder) => pid === 1;
  const second = openLedger({ time, record, runs }, emptyLedger(CAP_2), [...events]);
  expect(second.findKey("a")).toMatchObject({ state: "granted", leaseEndsNs: 130 * S });
  expect(second.findKey("b")).toMatchObject({ state: "ended", how: "launcher-died" });
  expect(second.findKey("c")).toMatchObject({ state: "granted" });
});

test("events that cannot be are refused, so that a damaged journal is not believed", () => {
  const past: PermitEvent[] = [{ kind: "granted", atNs: 1, id: 7 }];
  expect(() => opened(emptyLedger(CAP_2), past)).toThrow("contradict");
});

const POLICIES: readonly (readonly PolicySpec[])[] = [
  CAP_2,
  [{ name: "boot-cap", options: { boots: 7, order: "tenants" } }],
  [{ name: "boot-cap-aimd", options: { bootTargetMs: 20_000 } }],
  [{ name: "boot-cap-gradient", options: {} }],
  [{ name: "boot-cap-delay", options: { order: "tenants" } }],
  [{ name: "boot-cap-work", options: {} }],
  [
    { name: "boot-cap-delay", options: {} },
    { name: "boot-cap", options: { boots: 3 } },
  ],
];

const HOUR = 3600 * S;

interface Launcher {
  readonly key: string;
  readonly holder: Holder | undefined;
  isAlive: boolean;
  /** It was told. */
  granted: number | undefined;
}

/**
 * Launchers that ask, boot, renew, release, die and lose interest, over daemons that are killed in the
 * middle of writing, start again later, are given other policies, and measure.
 */
function faultyDays(random: Random, hours: number): readonly PermitEvent[] {
  const time = virtualTime();
  const pick = <T>(of: readonly T[]): T => of[random.below(of.length)]!;
  const chance = (percent: number) => random.below(100) < percent;
  const launchers = new Map<string, Launcher>();
  const written: PermitEvent[] = [];
  /** Of the turn: not written yet, nobody is told. */
  let turn: PermitEvent[] = [];
  let saved: LedgerState = emptyLedger(pick(POLICIES));
  let savedAt = 0;
  let born = 0;

  const surroundings = {
    time,
    record: (event: PermitEvent) => void turn.push(event),
    runs: ({ pid }: Holder) => launchers.get(`k${pid}`)?.isAlive === true,
  };
  let ledger = openLedger(surroundings, saved);

  function write(): void {
    const done = turn;
    turn = [];
    written.push(...done);
    for (const event of done) if (event.kind === "granted") told(event.id);
  }

  function told(id: number): void {
    const launcher = launchers.get(ledger.find(id)?.ask.key ?? "");
    if (launcher === undefined || !launcher.isAlive) return;
    launcher.granted = id;
    const endNs = time.nowNs() + (1 + random.below(60)) * S;
    time.wakeAt(endNs, () => release(launcher));
  }

  function release(launcher: Launcher): void {
    if (!launcher.isAlive || launcher.granted === undefined) return;
    const cpuNs = (1 + random.below(3)) * S;
    const cost = chance(80) ? { cpuNs } : {};
    ledger.end(launcher.granted, "released", { failed: chance(10), ...cost });
    if (chance(20)) ledger.end(launcher.granted, "released", { failed: false });
    launchers.delete(launcher.key);
    write();
  }

  function arrive(): void {
    born += 1;
    const key = `k${born}`;
    const holder = chance(60) ? { pid: born, startTicks: "1" } : undefined;
    const launcher: Launcher = { key, holder, isAlive: true, granted: undefined };
    launchers.set(key, launcher);
    ask(launcher);
  }

  function ask({ key, holder }: Launcher): void {
    const permit = ledger.ask(
      wish(key, {
        tenant: random.below(3),
        priority: random.below(2),
        leaseNs: (5 + random.below(60)) * S,
        ...(holder === undefined ? {} : { holder }),
        ...(chance(50) ? { memoryMiB: chance(50) ? 1024 : 65_536 } : {}),
        ...(chance(20) ? { deadlineNs: time.nowNs() + (1 + random.below(90)) * S } : {}),
      }),
    );
    if (permit.state === "waiting" && chance(70)) ledger.attach(permit.ask.id);
  }

  /** The daemon is killed while it works: of this turn some is written, and nobody is told. */
  function crash(): void {
    if (chance(50)) arrive();
    const kept = turn.slice(0, random.below(turn.length + 1));
    written.push(...kept);
    turn = [];
    open();
  }

  /** The daemon ends in order, and another takes up what it has left. */
  function restart(): void {
    ledger.close();
    compact();
    open();
  }

  function open(): void {
    time.forgetTimers();
    time.advanceTo(time.nowNs() + random.below(90_000) * 1e6);
    const state: LedgerState = JSON.parse(JSON.stringify(saved));
    ledger = openLedger(surroundings, state, JSON.parse(JSON.stringify(written.slice(savedAt))));
    write();
    for (const launcher of [...launchers.values()].filter(({ isAlive }) => isAlive)) {
      const permit = ledger.findKey(launcher.key);
      if (permit?.state === "granted") told(permit.ask.id);
      else if (permit?.state === "ended") launchers.delete(launcher.key);
      else if (launcher.granted === undefined) ask(launcher);
    }
  }

  /** The journal begins anew. */
  function compact(): void {
    saved = ledger.snapshot();
    savedAt = written.length;
  }

  function renewSome(): void {
    for (const { granted, isAlive } of launchers.values()) {
      if (isAlive && granted !== undefined && chance(50)) ledger.renew(granted);
    }
  }

  function measure(): void {
    const idleShare = random.below(100) / 100;
    const bootShare = ((1 - idleShare) * random.below(100)) / 100;
    const share = chance(80) ? { bootShare } : {};
    ledger.observe({ kind: "host-cpu", cpus: chance(50) ? 2 : 64, idleShare, ...share });
    ledger.observe({ kind: "lock-wait", share: random.below(100) / 100 });
  }

  function loseOne(): void {
    const launcher = pick([...launchers.values()]);
    if (launcher === undefined) return;
    launcher.isAlive = false;
    const permit = ledger.findKey(launcher.key);
    if (permit === undefined || permit.state === "ended") return;
    if (permit.state === "waiting") ledger.end(permit.ask.id, "gave-up");
    else if (launcher.holder !== undefined) ledger.end(permit.ask.id, "launcher-died");
  }

  while (time.nowNs() < hours * HOUR) {
    time.advanceTo(time.nowNs() + random.below(40_000) * 1e6);
    write();
    const dice = random.below(100);
    if (dice < 55) arrive();
    else if (dice < 75) renewSome();
    else if (dice < 85) loseOne();
    else if (dice < 90) measure();
    else if (dice < 95) compact();
    else if (dice < 98) crash();
    else if (dice < 99) restart();
    else ledger.setPolicy(pick(POLICIES));
    write();
  }
  // Nobody comes or renews any more: within the longest lease and wait all is over.
  time.advanceTo(time.nowNs() + 4 * HOUR);
  write();
  expect([...ledger.live()]).toEqual([]);
  return written;
}

test("24 hours with random faults: the history is sound, and in the end nothing is left", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const history = faultyDays(randomFrom(seed), 24);
      expect(history.filter(({ kind }) => kind === "granted").length).toBeGreaterThan(500);
      expect(checkHistory(history, { toleranceNs: 0 })).toEqual([]);
    }),
    { numRuns: 8 },
  );
});

test("from any point of its journal a ledger goes on as the one that was never killed", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (seed, cut) => {
      const history = faultyDays(randomFrom(seed), 1);
      const past = history.slice(0, cut % history.length);
      const { ledger, events } = opened(emptyLedger(CAP_2), past);
      const again = opened(emptyLedger(CAP_2), events);
      const { policyState: _, ...book } = ledger.snapshot();
      const { policyState: __, ...same } = again.ledger.snapshot();
      expect(same.live.map(({ ask, state }) => [ask.id, state])).toEqual(
        book.live.map(({ ask, state }) => [ask.id, state]),
      );
      expect(checkHistory(events, { toleranceNs: 0 })).toEqual([]);
    }),
    { numRuns: 50 },
  );
});
