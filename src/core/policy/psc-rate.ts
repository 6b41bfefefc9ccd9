import { assert } from "../assert.ts";
import { createDueHeap } from "./due-heap.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import {
  type Bucket,
  charge,
  createBucket,
  drain,
  dueNs,
  PAGES_PER_SECOND_MAX,
  PAGES_PER_SECOND_MIN,
  rateOf,
} from "./gcra.ts";
import { INERT } from "./inert.ts";
import type { Filled } from "./option.ts";
import {
  ADMIT,
  type Ask,
  type Decision,
  type Grant,
  NEVER,
  PAGES_PER_ASK_MAX,
  type Policy,
  PSC_DELAY_MAX_MS,
} from "./policy.ts";
import { ownState, STATE_VERSION } from "./state.ts";

/** Shared by the policies that hold back PSCs. */
export const PSC_DELAY_FIELD = {
  type: "integer",
  min: 0,
  max: 10_000, // Half of the 20 s after which the guest's watchdog reports a soft lockup.
  default: PSC_DELAY_MAX_MS,
  title: "ms an exit is held back at most; then it goes on whatever the rate",
} as const;

export const PSC_RATE_FIELDS = {
  scope: {
    type: "choice",
    of: ["vm", "tenant", "host"],
    default: "vm",
    title: "who shares one bucket: each VM has its own, each tenant, or all of the host",
  },
  pagesPerSecond: {
    type: "integer",
    min: PAGES_PER_SECOND_MIN,
    max: PAGES_PER_SECOND_MAX,
    default: 50_000,
    title: "4 KiB pages converted per second",
  },
  burstPages: {
    type: "integer",
    min: 1,
    max: PAGES_PER_ASK_MAX,
    default: 16_384,
    title: "pages that may go at once after a pause",
  },
  pscDelayMaxMs: PSC_DELAY_FIELD,
} as const;

/** Those who share a bucket, and their asks in the order they came. */
interface Line {
  readonly key: number;
  readonly bucket: Bucket;
  readonly waiting: Fifo<Waiting>;
  waitingPages: number;
  /** Since when the first of `waiting` is first. */
  headSinceNs: number;
}

interface Waiting {
  readonly id: number;
  readonly pages: number;
  readonly line: Line;
  /** Counts the asks that had to wait: who goes first when two are due at once. */
  readonly order: number;
  /** When it may go; undefined until it comes first. */
  dueNs: number | undefined;
  /** Has left; it stays in the line until it comes first. */
  gone: boolean;
}

type State = {
  readonly lines: readonly {
    readonly key: number;
    readonly tatNs: number;
    readonly tatFrac: number;
    readonly headSinceNs: number;
    readonly waiting: readonly {
      readonly id: number;
      readonly pages: number;
      readonly order: number;
    }[];
  }[];
  readonly nextOrder: number;
};

/** A token bucket on the pages of PSCs, for each VM, for each tenant or for the host. */
export function createPscRate(options: Filled<typeof PSC_RATE_FIELDS>): Policy {
  const { scope, pagesPerSecond } = options;
  const rate = rateOf(pagesPerSecond, options.burstPages);
  const lines = new Map<number, Line>();
  const waiting = new Map<number, Waiting>();
  /** The first of each line that waits. May hold some that have left or are due later by now. */
  const heads = createDueHeap<Waiting>();
  let nextOrder = 0;
  let linesBeforeSweep = 1024;

  function decide(ask: Ask, nowNs: number): Decision {
    if (ask.kind !== "psc") return ADMIT;
    assert(ask.pages >= 1 && ask.pages <= PAGES_PER_ASK_MAX, "a PSC has 1..2^23 pages");
    const key = scope === "vm" ? ask.vm : scope === "tenant" ? ask.tenant : 0;
    const line = lines.get(key) ?? openLine(key, nowNs);
    if (line.waitingPages === 0 && dueNs(rate, line.bucket, nowNs, ask.pages) <= nowNs) {
      charge(rate, line.bucket, nowNs, ask.pages, nowNs);
      return ADMIT;
    }
    return enqueue(line, ask, nowNs);
  }

  function enqueue(line: Line, ask: Ask, nowNs: number): Decision {
    assert(!waiting.has(ask.id), "an ask is decided once");
    const isFirst = line.waitingPages === 0;
    join(line, ask.id, ask.pages, nextOrder);
    nextOrder += 1;
    if (isFirst) comesFirst(line, nowNs);
    // The pages before it count as one ask with it: exact while every grant is on time.
    const pages = Math.min(line.waitingPages, PAGES_PER_ASK_MAX);
    const untilNs = dueNs(rate, line.bucket, line.headSinceNs, pages);
    return { kind: "delay", untilNs, reason: { rule: "rate", scope, pagesPerSecond } };
  }

  function join(line: Line, id: number, pages: number, order: number): void {
    const entry: Waiting = { id, pages, line, order, dueNs: undefined, gone: false };
    line.waiting.push(entry);
    line.waitingPages += pages;
    waiting.set(id, entry);
  }

  /** Drops those who have left from the front, and files the first one under its time. */
  function comesFirst(line: Line, nowNs: number): void {
    while (line.waiting.peek()?.gone) line.waiting.shift();
    line.headSinceNs = nowNs;
    fileHead(line);
  }

  function fileHead(line: Line): void {
    const head = line.waiting.peek();
    if (head === undefined) return;
    head.dueNs = dueNs(rate, line.bucket, line.headSinceNs, head.pages);
    heads.push(head.dueNs, head.order, head);
  }

  function ready(nowNs: number): Grant | undefined {
    if (wakeNs() > nowNs) return undefined;
    const head = heads.peek();
    if (head === undefined) return undefined;
    heads.pop();
    const { line } = head;
    charge(rate, line.bucket, line.headSinceNs, head.pages, nowNs);
    remove(head);
    comesFirst(line, nowNs);
    return { id: head.id, forced: false };
  }

  function wakeNs(): number {
    for (let head = heads.peek(); head !== undefined; head = heads.peek()) {
      if (!head.gone && head.dueNs === heads.peekNs()) return head.dueNs;
      heads.pop();
    }
    return NEVER;
  }

  function leave(id: number, how: "gave-up" | "went-ahead", nowNs: number): void {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    const { line } = entry;
    if (how === "went-ahead") drain(rate, line.bucket, entry.pages, nowNs);
    remove(entry);
    if (line.waiting.peek() === entry) comesFirst(line, nowNs);
    else fileHead(line); // The bucket may be emptier now.
  }

  function remove(entry: Waiting): void {
    entry.gone = true;
    entry.line.waitingPages -= entry.pages;
    waiting.delete(entry.id);
  }

  function openLine(key: number, nowNs: number): Line {
    if (lines.size >= linesBeforeSweep) sweep(nowNs);
    const line: Line = {
      key,
      bucket: createBucket(),
      waiting: createFifo(),
      waitingPages: 0,
      headSinceNs: 0,
    };
    lines.set(key, line);
    return line;
  }

  /** A line with a full bucket is as good as none; VMs come and go for years. */
  function sweep(nowNs: number): void {
    for (const [key, line] of lines) {
      if (line.waitingPages === 0 && line.bucket.tatNs < nowNs) lines.delete(key);
    }
    linesBeforeSweep = Math.max(1024, lines.size * 2);
  }

  function snapshot() {
    return {
      policy: "psc-rate",
      version: STATE_VERSION,
      lines: [...lines.values()].map((line) => ({
        key: line.key,
        ...line.bucket,
        headSinceNs: line.headSinceNs,
        waiting: line.waiting
          .items()
          .filter((entry) => !entry.gone)
          .map(({ id, pages, order }) => ({ id, pages, order })),
      })),
      nextOrder,
    };
  }

  return {
    ...INERT,
    name: "psc-rate",
    decide,
    ready,
    wakeNs,
    leave,
    gauges: () => ({ waiting: waiting.size }),
    snapshot,
    restore: (state) => {
      const saved = ownState<State>("psc-rate", state);
      nextOrder = saved.nextOrder;
      for (const { key, tatNs, tatFrac, headSinceNs, waiting } of saved.lines) {
        const line = openLine(key, 0);
        Object.assign(line.bucket, { tatNs, tatFrac });
        for (const { id, pages, order } of waiting) join(line, id, pages, order);
        comesFirst(line, headSinceNs);
      }
    },
  };
}
