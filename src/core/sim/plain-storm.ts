import { COST_KEYS, type CostsNs } from "../kernel/cost/cost-table.ts";
import type { Design } from "../kernel/design.ts";
import type { Policy } from "../policy/policy.ts";
import type { StormPhase, StormSetup } from "./setup.ts";

/** A storm of theory: N tasks, M pages each, one lock, nothing else takes time. */
export interface PlainStorm {
  readonly tasks: number;
  readonly pages: number;
  readonly holdNs: number;
  readonly thinkNs: number;
  readonly cpus?: number;
  readonly spread?: StormSetup["spread"];
  readonly seed?: number;
  /** Threads that take the lock without a pause, for ever. */
  readonly background?: number;
  readonly policy?: Policy;
  /** Pages of one exit, or of one file; a policy is asked before each. */
  readonly batch?: number;
  /** Work before each batch. */
  readonly batchNs?: number;
  readonly costs?: Partial<CostsNs>;
  readonly startNs?: (task: number) => number;
}

const FREE = Object.fromEntries(COST_KEYS.map((key) => [key, 0])) as CostsNs;

/** One global spinlock, and nothing that takes it but plain page operations. */
const ONE_LOCK: Design = {
  name: "one-lock",
  title: "one spinlock",
  source: "theory",
  locks: { lock: { kind: "spinlock", scope: "global", irqsOff: false } },
  sections: {
    request: [],
    change: [],
    round: [],
    decide: [],
    split: [],
    store: [],
    collapse: [],
    collapse2m: [],
  },
  splitFlush: "none",
  recheck: { decide: true, split: true },
  splitMark: false,
  skipRoundFor: "nothing",
  preSplit: true,
  finalFlush: false,
  collapse: "none",
};

export function plainStorm(plain: PlainStorm): StormSetup {
  const { tasks, pages, holdNs, thinkNs } = plain;
  const background = plain.background ?? 0;
  const cpus = plain.cpus ?? tasks + background;
  const each: StormPhase = {
    kind: "pages",
    name: "accept",
    ops: [0],
    count: pages,
    passes: 1,
    pagesPerOp: 1,
    firstPage: 0,
    batch: plain.batch ?? pages,
    batchNs: plain.batchNs ?? 0,
    asks: plain.batch !== undefined,
    pspNs: 0,
    split: false,
  };
  const forEver: StormPhase = { ...each, ops: [1], passes: Number.POSITIVE_INFINITY, asks: false };
  return {
    topology: { cpus, sockets: 1, coresPerL3: cpus, smt: 1 },
    costs: { ...FREE, timeSlice: 3_000_000, ...plain.costs },
    design: ONE_LOCK,
    flush: "broadcast",
    memory: { regions: 512, share1g: 0, share2m: 0, placement: "contiguous" },
    vms: Array.from({ length: tasks }, (_, task) => ({
      name: `vm${task}`,
      group: 0,
      tenant: 0,
      priority: 0,
      startNs: plain.startNs?.(task) ?? 0,
      pages,
      firstFrame: 0,
      tasks: 1,
      phases: [each],
    })),
    background: Array.from({ length: background }, (_, i) => ({
      name: `thread${i}`,
      vm: tasks + i,
      tenant: 0,
      startNs: 0,
      pages,
      firstFrame: 0,
      phases: [forEver],
    })),
    ops: [
      { kind: "plain", leadNs: thinkNs, lock: "lock", holdNs, tailNs: 0 },
      { kind: "plain", leadNs: 0, lock: "lock", holdNs, tailNs: 0 },
    ],
    policy: plain.policy,
    spread: plain.spread ?? "none",
    phaseSpread: 0,
    seed: plain.seed ?? 1,
    grain: "sections",
  };
}
