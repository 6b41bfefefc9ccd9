import { assert } from "../../assert.ts";
import { PAGE_KERNEL } from "../attributes.ts";
import { linux420 } from "../design/linux-4.20.ts";
import { ENTRY_IS_TABLE } from "../operation.ts";
import { program } from "../path/program.ts";
import { REQUESTS } from "../request.ts";
import { type Cost, type CostKey, costKeyOf, EPYC_MILAN } from "./cost-table.ts";

/** A time as it was fitted, with its 95 % interval. */
export interface FittedTime {
  readonly ns: number;
  readonly low: number;
  readonly high: number;
  readonly identified: "well" | "weakly";
}

/** What a calibration found that costs of the model can be made of. */
export interface FittedCosts {
  /** Of the host: a flush interrupts all but one. */
  readonly cpus: number;
  /** One round under cpa_lock for a 4 KiB entry, and the hand-over to the next CPU. */
  readonly holdNs: FittedTime;
  /** What the sender of one TLB flush of all CPUs waits. */
  readonly flushNs: FittedTime;
  /** Fault of one 4 KiB page of plain shared memory. */
  readonly faultNs: FittedTime;
}

export type SomeCosts = Readonly<Partial<Record<CostKey, Cost>>>;

/**
 * The costs of the model that a calibration can replace. Those it did not see are left to the table.
 * A hold that the hand-over alone may explain, and a flush that was not seen to cost anything, are
 * left to it too.
 */
export function calibratedCosts({ cpus, holdNs, flushNs, faultNs }: FittedCosts): SomeCosts {
  return {
    ...(holdNs.low > HAND_OVER_NS ? roundCosts(holdNs) : {}),
    ...(Math.round(flushNs.ns) > 0 ? flushCosts(flushNs, cpus) : {}),
    fault4k: cost(faultNs, Math.round, "measured: fault of one 4 KiB page of plain shared memory"),
  };
}

/**
 * What the model charges beside a round: two transfers of a cache line. Which CPUs they were between
 * was not fitted; within an L3 is assumed.
 */
const HAND_OVER_NS = 2 * EPYC_MILAN.lineL3.ns;

/**
 * The sum of one round is what was fitted, less the hand-over.
 */
function roundCosts(hold: FittedTime): SomeCosts {
  const keys = roundKeys();
  const parts = keys.map((key) => EPYC_MILAN[key].ns);
  const sum = parts.reduce((a, b) => a + b, 0);
  const source = `measured: hold and hand-over of the lock in all, less ${HAND_OVER_NS} ns for two cache lines; share as in the base table`;
  let before = 0;
  const costs = keys.map((key, i) => {
    const from = before / sum;
    before += parts[i]!;
    const to = before / sum;
    // Differences of rounded sums: together they are the whole, to the nanosecond.
    const part = (ns: number) => {
      const inRound = Math.max(0, Math.round(ns) - HAND_OVER_NS);
      return Math.round(to * inRound) - Math.round(from * inRound);
    };
    return [key, cost(hold, part, source)] as const;
  });
  const readPud = {
    ns: 0,
    low: 0,
    high: 0,
    source: "in readPmd: the round was measured as a whole",
  };
  return { ...Object.fromEntries(costs), readPud: { ...readPud, confidence: confidence(hold) } };
}

/** What the model charges under cpa_lock, by its own path: 4.20, the entry is 4 KiB already. */
function roundKeys(): readonly CostKey[] {
  const request = REQUESTS.get("invalid");
  assert(request !== undefined, "the kernel model has set_direct_map_invalid_noflush");
  const path = program({ design: linux420, flush: "broadcast", pud: false }, [request], 1);
  const keys: CostKey[] = [];
  let held = false;
  let answer = 0;
  for (let step = path.next(0); !step.done; step = path.next(answer)) {
    const operation = step.value;
    if (operation.op === "lock") held = true;
    if (operation.op === "unlock") held = false;
    const key = costKeyOf(operation);
    if (held && key !== undefined) keys.push(key);
    answer = operation.op === "readEntry" ? ENTRY_IS_TABLE : PAGE_KERNEL;
  }
  return keys;
}

/** Only the sum at this number of CPUs was measured: each CPU's part stays that of the table. */
function flushCosts(flush: FittedTime, cpus: number): SomeCosts {
  const others = cpus - 1;
  const { flushIpiPerCpu } = EPYC_MILAN;
  const most = others === 0 ? flushIpiPerCpu.ns : Math.floor(Math.round(flush.ns) / others);
  const perCpu = Math.min(flushIpiPerCpu.ns, most);
  const fixed = (ns: number) => Math.max(0, Math.round(ns) - perCpu * others);
  const source = `measured: one flush at ${cpus} CPUs, less flushIpiPerCpu for each other CPU`;
  return {
    flushIpi: cost(flush, fixed, source),
    ...(perCpu === flushIpiPerCpu.ns
      ? {}
      : {
          flushIpiPerCpu: {
            ns: perCpu,
            low: 0,
            high: Math.max(perCpu, Math.ceil(flush.high / others)),
            confidence: "low",
            source: `measured: one flush at ${cpus} CPUs, shared out; what is fixed was not told apart`,
          },
        }),
  };
}

function cost(time: FittedTime, part: (ns: number) => number, source: string): Cost {
  const ns = part(time.ns);
  return {
    ns,
    low: Math.min(ns, part(time.low)),
    high: Math.max(ns, part(time.high)),
    confidence: confidence(time),
    source,
  };
}

function confidence({ identified }: FittedTime): Cost["confidence"] {
  return identified === "well" ? "medium" : "low";
}
