// Reads /proc/lock_stat, version 0.4 (kernel/locking/lockdep_proc.c; Linux 2.6.38 to at least 6.12):
//
//   lock_stat version 0.4
//   -----------------------------------------------------------------------------------------------…
//                                 class name    con-bounces    contentions   waittime-min   waittime-max …
//   -----------------------------------------------------------------------------------------------…
//
//                                   cpa_lock:            44             59           0.59      463402.24 …
//                                   --------
//                                   cpa_lock             27          [<00000000730a29e5>] __change_page_attr_set_clr+0x9f9/0x1050
//                                   --------
//                                   cpa_lock             40          [<00000000dfa3bd76>] __change_page_attr_set_clr+0x4ba/0x1050
//
//   ...............................................................................................…
//
//                          &mm->mmap_lock-W:             0              0           0.00           0.00 …
//                          &mm->mmap_lock-R:             0              0           0.00           0.00 …
//
// Below the first short dashes stand those who waited, below the second those who held the lock then;
// the kernel keeps four of each. Times are µs.
import type { LockCount } from "../event/kernel-run.ts";

const VERSION = "lock_stat version 0.4";

/** As many classes as a kernel has at most; each with its modes, points and rules is 14 lines. */
const LOCKS_MAX = 8192;
const LINES_MAX = 14 * LOCKS_MAX;
/** The kernel keeps four of a class, and classes of one name are few. */
const WAITERS_MAX = 8;
/** A class has 221 columns; numbers may grow. */
const PLAIN = /^[ -~]{0,300}$/;

const COUNT = "(\\d{1,15})";
const US = "(\\d{1,12}\\.\\d\\d)";
//             name, its mode     bounces  contentions  min max total avg  bounces  acquisitions  min max total avg
const CLASS = new RegExp(
  `^ *(\\S.*?)(?:-[WR])?: +${[COUNT, COUNT, US, US, US, US, COUNT, COUNT, US, US, US, US].join(" +")} *$`,
);
//             name  times   address               function, offset
const POINT =
  /^ *\S.*? +(\d{1,15}) +\[<[0-9a-fx]+>\] ([^\s+]{1,200})(?:\+0x[0-9a-f]+\/0x[0-9a-f]+)?(?: \[\w+\])?$/;
const HEADING = /^ *class name +con-bounces .*holdtime-avg$/;
const RULE = /^ *(?:-+|\.+)?$/;

/** A lock while its lines are read. */
interface Found {
  readonly count: { -readonly [Key in keyof LockCount]: LockCount[Key] };
  readonly waiters: Map<string, number>;
}

/**
 * Locks as the kernel has counted them, in its order: most contended first. Classes of one name, and
 * the two modes of a rw lock, are one lock here. Locks that nobody took are left out.
 * @param lines  one text of /proc/lock_stat, without line ends
 * @returns undefined where the text is of another version, or any line is not understood: the one that
 *   is damaged could be that of the lock one looks for, and a lock that is missing is one that nobody
 *   took. Also where the kernel says that it has stopped to count, or counts more than a kernel can.
 */
export function readLockStat(lines: readonly string[]): readonly LockCount[] | undefined {
  const [version, ...rest] = lines.length > LINES_MAX ? [] : lines;
  if (version?.trim() !== VERSION || !rest.some((line) => HEADING.test(line))) return undefined;
  const locks = new Map<string, Found>();
  let lock: Found | undefined;
  let rules = 0;
  for (const line of rest) {
    if (!PLAIN.test(line)) return undefined;
    const counts = CLASS.exec(line);
    if (counts !== null) {
      lock = addCounts(locks, counts);
      rules = 0;
    } else if (RULE.test(line)) {
      rules += 1;
    } else if (!HEADING.test(line)) {
      const point = POINT.exec(line);
      if (point === null || lock === undefined) return undefined;
      const [, times, fn] = point as unknown as [string, string, string];
      if (rules === 1) lock.waiters.set(fn, (lock.waiters.get(fn) ?? 0) + Number(times));
    }
  }
  const found = Array.from(locks.values(), lockCountOf);
  const isBounded = found.length <= LOCKS_MAX && found.every(isExact);
  return isBounded
    ? found.filter(({ acquired, contended }) => acquired + contended > 0)
    : undefined;
}

function lockCountOf({ count, waiters }: Found): LockCount {
  const most = Array.from(waiters, ([fn, contended]) => ({ fn, contended })).sort(
    (a, b) => b.contended - a.contended,
  );
  return { ...count, waiters: most.slice(0, WAITERS_MAX) };
}

function isExact({ name, waiters, ...counts }: LockCount): boolean {
  const all = [...Object.values(counts), ...waiters.map(({ contended }) => contended)];
  return all.every(Number.isSafeInteger);
}

function addCounts(locks: Map<string, Found>, line: RegExpExecArray): Found {
  const [, name, , contended, , waitMax, waitTotal, , , acquired, , , holdTotal] =
    line as unknown as string[];
  const known = locks.get(name!) ?? { count: emptyCount(name!), waiters: new Map() };
  locks.set(name!, known);
  const { count } = known;
  count.acquired += Number(acquired);
  count.contended += Number(contended);
  count.waitNsTotal += nsOf(waitTotal!);
  count.waitNsMax = Math.max(count.waitNsMax, nsOf(waitMax!));
  count.holdNsTotal += nsOf(holdTotal!);
  return known;
}

function emptyCount(name: string): Found["count"] {
  return {
    name,
    acquired: 0,
    contended: 0,
    waitNsTotal: 0,
    waitNsMax: 0,
    holdNsTotal: 0,
    waiters: [],
  };
}

/** `463402.24` µs. */
function nsOf(us: string): number {
  return Math.round(Number(us) * 1000);
}
