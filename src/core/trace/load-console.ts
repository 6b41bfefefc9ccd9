// Reads the console of a VM whose kernel measures (kernel/load/init, kernel/load/bootstorm-load.c):
//
//   [    0.028656] random: crng init done
//   bootstorm-load: {"release":"6.12.117-stock","cpus":4,…,"load":"toggle","threads":2,…}
//   bootstorm-lock-stat: lock_stat version 0.4
//   …
//   sh: write error: Cannot allocate memory
//   bootstorm-load: {"failed":"split threads=1 ops=4 warm_up=0"}
//   bootstorm-load: {"done":true}
//   [    1.259325] reboot: Restarting system
//
// The guest may write anything, and its VM may end anywhere.

import {
  countOf,
  type Fields,
  flagOf,
  isRecord,
  listOf,
  oneOf,
  positiveOf,
  recordOf,
  textOf,
  Unreadable,
} from "../event/json-fields.ts";
import { firstOfEachKind } from "../event/kernel-complaint.ts";
import type { LoadLatency, LoadOrder, LoadResult, Measurement } from "../event/kernel-run.ts";
import { isComplaint, isPanic, messageOf } from "./kernel-message.ts";
import { readLockStat } from "./lock-stat.ts";

const REPORT = "bootstorm-load: ";
const LOCK_STAT = "bootstorm-lock-stat: ";

/** A result has about 60 characters a thread: room for a thousand. */
const LINE_CHARS_MAX = 1 << 16;
const THREADS_MAX = 1024;
/** Of kinds of complaints. A kernel that is broken says few things, again and again. */
const COMPLAINTS_MAX = 20;
/** Of utsname(). */
const RELEASE_CHARS_MAX = 64;

export interface LoadConsole {
  /** One for each order that was answered, from the first on; for every order where it is `done`. */
  readonly measurements: readonly Measurement[];
  /** What the kernel complained of; of those that differ in numbers only, the first. */
  readonly complaints: readonly string[];
  /** Of the kernel, as its results say. */
  readonly release?: string;
  /** The guest has said that it is through with its orders. */
  readonly done: boolean;
  /** What the kernel said when it gave up. */
  readonly panic?: string;
}

/**
 * @param text  a console, or as much as there is of it
 * @param orders  in the order in which the guest has them. Answers come in turn: what does not fit
 *   the order whose turn it is, by load, threads and operations, is a failure of that order, and no
 *   answer to another.
 */
export function readLoadConsole(text: string, orders: readonly LoadOrder[]): LoadConsole {
  const sections = sectionsOf(text);
  const end = sections.findIndex(({ report }) => isRecord(report) && report.done === true);
  const done = end !== -1;
  // The first section is what comes before any report.
  const answers = sections.slice(1, done ? end : undefined);
  const answered = orders.slice(0, answers.length).map((order, turn): Answer => {
    const isWhole = sections[turn + 2] !== undefined;
    return answerOf(order, sections[turn]!.lines, answers[turn]!, isWhole);
  });
  const messages = sections.flatMap(({ lines }) => lines.map(messageOf));
  const release = answered.find((answer) => answer.release !== undefined)?.release;
  const panic = messages.find(isPanic);
  return {
    measurements: [
      ...answered.map(({ measurement }) => measurement),
      ...(done ? orders.slice(answered.length) : []).map((order) => ({
        order,
        failed: "the guest gave no answer",
      })),
    ],
    complaints: firstOfEachKind(messages.filter(isComplaint)).slice(0, COMPLAINTS_MAX),
    ...(release === undefined ? {} : { release }),
    done,
    ...(panic === undefined ? {} : { panic }),
  };
}

/** A report, and the lines from it to the next. */
interface Section {
  /** Parsed; undefined where it is no JSON. */
  readonly report: unknown;
  /** A report that is no JSON is the first: a message of the kernel may have come in between. */
  readonly lines: string[];
}

function sectionsOf(text: string): readonly Section[] {
  const sections: Section[] = [{ report: undefined, lines: [] }];
  const lines = text.split(/[\r\n]+/);
  lines.forEach((line, at) => {
    const isShort = line.length <= LINE_CHARS_MAX;
    const isReport = line.startsWith(REPORT);
    const report = isReport && isShort ? jsonOf(line.slice(REPORT.length)) : undefined;
    // What has no line end is not torn, but not over.
    const isOver = report !== undefined || at < lines.length - 1;
    if (isReport && isOver) sections.push({ report, lines: [] });
    if (report === undefined && isShort) sections.at(-1)!.lines.push(line);
  });
  return sections;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly measurement: Measurement;
  readonly release?: string;
}

/**
 * @param before  the lines before the report: those of a shell that fails have the reason
 * @param isWhole  something was reported after it, so nothing behind it is missing
 */
function answerOf(
  order: LoadOrder,
  before: readonly string[],
  { report, lines }: Section,
  isWhole: boolean,
): Answer {
  try {
    const fields = recordOf(report, "its result");
    if (fields.failed !== undefined) return { measurement: { order, failed: reasonOf(before) } };
    const result = resultOf(fields, order);
    const lockStat = lines
      .filter((line) => line.startsWith(LOCK_STAT))
      .map((line) => line.slice(LOCK_STAT.length));
    const locks = isWhole ? readLockStat(lockStat) : undefined;
    return {
      measurement: { order, result, ...(locks === undefined ? {} : { locks }) },
      release: printable(textOf(fields, "release", RELEASE_CHARS_MAX)),
    };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { measurement: { order, failed: `the guest's answer is refused: ${error.message}` } };
  }
}

/** `write error: Cannot allocate memory`. */
function reasonOf(before: readonly string[]): string {
  const shell = before.findLast((line) => SHELL.test(line));
  return shell === undefined ? "the guest gave no reason" : messageOf(shell.replace(SHELL, ""));
}

//            busybox, other shells
const SHELL = /^(?:sh|\/init): (?:line \d+: )?/;

function resultOf(fields: Fields, order: LoadOrder): LoadResult {
  const opsPerThread = positiveOf(fields, "opsPerThread");
  const isOfOrder =
    fields.load === order.load && fields.threads === order.threads && opsPerThread === order.ops;
  if (!isOfOrder) throw new Unreadable("it is not of this order");
  const perThread = listOf(fields, "perThread", THREADS_MAX).map((thread) =>
    countOf(recordOf(thread, "perThread"), "ops"),
  );
  if (perThread.length !== order.threads) throw new Unreadable("perThread: not one for each");
  const tscKhz = positiveOf(fields, "tscKhz");
  const elapsedNs = nsOf(positiveOf(fields, "elapsedCycles"), tscKhz);
  if (elapsedNs === 0) throw new Unreadable("elapsedCycles: less than a nanosecond");
  return {
    spinlock: oneOf(fields, "spinlock", ["test-and-set", "queued"] as const),
    debugPagealloc: flagOf(fields, "debugPagealloc"),
    ops: positiveOf(fields, "ops"),
    opsAsked:
      opsPerThread * (order.load === "mixed" ? Math.floor(order.threads / 2) : order.threads),
    opsFailed: countOf(fields, "opsFailed"),
    splits: countOf(fields, "splits"),
    elapsedNs,
    latencyNs: latencyOf(recordOf(fields.latencyCycles, "latencyCycles"), tscKhz),
    ...(order.load === "mixed" ? mixedOf(fields, perThread) : {}),
  };
}

function latencyOf(cycles: Fields, tscKhz: number): LoadLatency {
  const ns = (key: keyof LoadLatency) => nsOf(countOf(cycles, key), tscKhz);
  return { mean: ns("mean"), p50: ns("p50"), p90: ns("p90"), p99: ns("p99"), max: ns("max") };
}

function mixedOf(fields: Fields, perThread: readonly number[]): Partial<LoadResult> {
  // Odd threads change attributes.
  const attributeChanges = perThread.reduce((sum, ops, thread) => sum + (thread % 2) * ops, 0);
  if (attributeChanges > countOf(fields, "ops")) throw new Unreadable("perThread: more than ops");
  return {
    attributeChanges,
    wrongEntries: countOf(fields, "wrongEntries"),
    wrongAccesses: countOf(fields, "wrongAccesses"),
  };
}

/** Whole: a cycle is about 0.3 ns, and percentiles are right to 1/16. */
function nsOf(cycles: number, tscKhz: number): number {
  const ns = Math.round((cycles / tscKhz) * 1e6);
  if (!Number.isSafeInteger(ns)) throw new Unreadable("a time is out of range");
  return ns;
}

function printable(text: string): string {
  return text.replace(/[^ -~]/g, "");
}
