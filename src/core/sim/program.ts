import { assert, assertNever } from "../assert.ts";
import { PAGE_KERNEL, PRESENT, WRITABLE } from "../kernel/attributes.ts";
import { type CostsNs, costKeyOf } from "../kernel/cost/cost-table.ts";
import type { Design } from "../kernel/design.ts";
import { ENTRY_IS_MARKED_TABLE, ENTRY_IS_TABLE } from "../kernel/operation.ts";
import { REQUESTS, type Request } from "../kernel/request.ts";
import { type StormLock, sleeps, stormPath } from "./storm-path.ts";

/**
 * A kernel path on one page as the storm executes it: locks, stretches of work between them, and
 * the few reads whose answer another CPU can change. Derived by running the kernel model's own
 * generator once for each way its reads can be answered; nothing of a path is written here.
 */
export interface Program {
  readonly code: Uint8Array;
  /** By code: lock number, level, new state. */
  readonly arg: Int32Array;
  /** LOCK and UNLOCK: 1 for reading. WORK: 1 when it begins a stretch. */
  readonly flag: Uint8Array;
  /** WORK and FLUSH: how long. BRANCH: number of the read. */
  readonly ns: Float64Array;
  /** LOCK of a section that is only work, of a lock that spins: how long it is held; else -1. */
  readonly closedNs: Float64Array;
  /** The answers assumed, read by read. */
  readonly answers: readonly number[];
  /** LOCK: the kernel functions that ask for it, innermost first; none where it is no kernel path. */
  readonly stacks: readonly (readonly string[])[];
  /** Work, one lock around work, work: what most pages are. */
  readonly simple: SimpleProgram | undefined;
}

export interface SimpleProgram {
  readonly leadNs: number;
  /** -1: none. */
  readonly lock: number;
  readonly holdNs: number;
  readonly tailNs: number;
}

export const CODE = {
  work: 0,
  lock: 1,
  unlock: 2,
  flush: 3,
  /** The entry is not what was assumed: go on in the program of the right assumption. */
  branch: 4,
  /** The entry becomes … */
  state: 5,
  /** Spins until the split of this 2 MiB has flushed. */
  await: 6,
  end: 7,
} as const;

/** Entries as the storm keeps them. */
export const ENTRY = { large: 0, table: 1, marked: 2 } as const;
/** `arg` of BRANCH and STATE: the level; STATE adds the entry × 2. */
export const LEVEL = { pmd: 0, pud: 1 } as const;

/** What a page operation is made of. */
export type PageOp =
  /** A request of the kernel model, after `leadNs` of work outside it (the fault, the exit). */
  | { readonly kind: "kernel"; readonly request: string; readonly leadNs: number }
  /** Not a kernel path: work, one lock, work. For theory, and for what takes no lock. */
  | {
      readonly kind: "plain";
      readonly leadNs: number;
      readonly lock: string | undefined;
      readonly holdNs: number;
      readonly tailNs: number;
    };

export interface ProgramContext {
  readonly design: Design;
  readonly locks: readonly StormLock[];
  readonly costs: CostsNs;
  /** The direct map has 1 GiB entries. */
  readonly pud: boolean;
  readonly flushNs: number;
  /** Sums the work between locks; false: every operation is an event of its own. */
  readonly fuse: boolean;
}

/** What the page's entries are at the start: a table, a 2 MiB entry, or a 1 GiB entry above. */
export type StartEntry = "table" | "2m" | "1g";

/** All programs of one page operation, derived when they are first needed. */
export class ProgramTree {
  readonly warm: Program;
  readonly #context: ProgramContext;
  readonly #op: PageOp;
  readonly #known = new Map<string, Program>();

  constructor(context: ProgramContext, op: PageOp) {
    this.#context = context;
    this.#op = op;
    this.warm = this.start("table");
  }

  start(entry: StartEntry): Program {
    return this.#derive(entry, []);
  }

  /** The program that goes on from `from` when its read number `read` gave another answer. */
  branch(entry: StartEntry, from: Program, read: number, answer: number): Program {
    return this.#derive(entry, [...from.answers.slice(0, read), answer]);
  }

  #derive(entry: StartEntry, answers: readonly number[]): Program {
    const key = `${entry} ${answers.join(",")}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = derive(this.#context, this.#op, entry, answers);
      this.#known.set(key, known);
    }
    return known;
  }
}

/** The kernel functions that ask for the lock which was last asked for before step `pc`. */
export function stackOfLock({ code, stacks }: Program, pc: number): readonly string[] {
  const step = code.lastIndexOf(CODE.lock, pc - 1);
  assert(step >= 0, "who waits for a lock has asked for it");
  return stacks[step]!;
}

interface MicroOp {
  readonly code: number;
  readonly arg: number;
  readonly flag: number;
  readonly ns: number;
  readonly stack: readonly string[];
}

function derive(
  context: ProgramContext,
  op: PageOp,
  entry: StartEntry,
  prefix: readonly number[],
): Program {
  const ops: MicroOp[] = [];
  const add = (code: number, more: Partial<MicroOp> = {}) =>
    ops.push({ code, arg: 0, flag: 0, ns: 0, stack: [], ...more });
  add(CODE.work, { ns: op.leadNs });
  let answers: readonly number[] = [];
  if (op.kind === "plain") {
    if (op.lock !== undefined) {
      const arg = lockNumber(context.locks, op.lock);
      add(CODE.lock, { arg });
      add(CODE.work, { ns: op.holdNs });
      add(CODE.unlock, { arg });
    }
    add(CODE.work, { ns: op.tailNs });
  } else {
    const request = REQUESTS.get(op.request);
    assert(request !== undefined, `the kernel model has a request ${op.request}`);
    answers = runPath(context, request, entry, prefix, add);
  }
  add(CODE.end);
  return assemble(context, ops, answers);
}

/** Runs the generator, answering its reads by `prefix` and then as an undisturbed path would see. */
function runPath(
  context: ProgramContext,
  request: Request,
  entry: StartEntry,
  prefix: readonly number[],
  add: (code: number, more?: Partial<MicroOp>) => void,
): readonly number[] {
  const { costs, locks } = context;
  const path = stormPath(context.design, context.pud, request);
  // What this path believes the entries to be: what it has read or written last.
  const believed = {
    pud: entry === "1g" ? PAGE_KERNEL : ENTRY_IS_TABLE,
    pmd: entry === "table" ? ENTRY_IS_TABLE : PAGE_KERNEL,
  };
  const answers: number[] = [];
  let result = 0;
  for (let step = path.next(0); !step.done; step = path.next(result)) {
    const operation = step.value;
    const key = costKeyOf(operation);
    const ns = key === undefined ? 0 : costs[key];
    const work = () => add(CODE.work, { ns });
    result = 0;
    switch (operation.op) {
      case "lock":
      case "unlock": {
        const code = operation.op === "lock" ? CODE.lock : CODE.unlock;
        const arg = lockNumber(locks, operation.lock);
        const stack = [...new Set([operation.fn, request.fn])];
        add(code, { arg, flag: operation.shared ? 1 : 0, stack });
        break;
      }
      case "readEntry": {
        // A table stays a table: only what is believed to be none can turn out differently. Programs
        // that differ in an answer are alike up to the branch that asks for it.
        if (believed[operation.level] !== ENTRY_IS_TABLE) {
          add(CODE.branch, { arg: LEVEL[operation.level], ns: answers.length });
        }
        result = prefix[answers.length] ?? believed[operation.level];
        believed[operation.level] = result;
        answers.push(result);
        work();
        break;
      }
      case "readPte":
        result = pteOf(request);
        work();
        break;
      case "installTable": {
        const state = operation.mark ? ENTRY.marked : ENTRY.table;
        add(CODE.state, { arg: LEVEL[operation.level] + 2 * state });
        believed[operation.level] = operation.mark ? ENTRY_IS_MARKED_TABLE : ENTRY_IS_TABLE;
        if (operation.level === "pud") believed.pmd = operation.attributes;
        work();
        break;
      }
      case "clearMark":
        add(CODE.state, { arg: LEVEL.pmd + 2 * ENTRY.table });
        believed.pmd = ENTRY_IS_TABLE;
        work();
        break;
      case "awaitUnmarked":
        add(CODE.await);
        believed.pmd = ENTRY_IS_TABLE;
        break;
      case "flush":
        add(CODE.flush, { ns: context.flushNs });
        break;
      case "work":
      case "writePte":
      case "allocPage":
      case "freePage":
      case "rmpupdate":
      case "psmash":
      case "pvalidate":
      case "guestAccess":
      case "return":
        work();
        break;
      case "writeLarge":
      case "scanPtes":
      case "freeTable":
      case "flushSend":
      case "flushWait":
        throw new Error(`bug: a storm has no ${operation.op}`);
      default:
        assertNever(operation);
    }
  }
  return answers;
}

/** A page that comes back was taken before: its entry is not present. Others are as at boot. */
function pteOf(request: Request): number {
  const back = request.via === "rmpupdate-2022" ? request.guest === "shared" : false;
  const restores = request.via === "set_direct_map" && (request.set & PRESENT) !== 0;
  return back || restores ? PAGE_KERNEL & ~(PRESENT | WRITABLE) : PAGE_KERNEL;
}

function lockNumber(locks: readonly StormLock[], name: string): number {
  const index = locks.findIndex((lock) => lock.name === name);
  assert(index >= 0, `the storm has a lock ${name}`);
  return index;
}

function assemble(
  context: ProgramContext,
  all: readonly MicroOp[],
  answers: readonly number[],
): Program {
  const ops = context.fuse ? fused(all) : withStretches(all);
  const at = (i: number) => ops[i]!;
  const closedNs = ops.map((op, i) => {
    if (op.code !== CODE.lock || !context.fuse || sleeps(context.locks[op.arg]!)) return -1;
    const isWork = at(i + 1).code === CODE.work;
    const end = at(isWork ? i + 2 : i + 1);
    return end.code === CODE.unlock && end.arg === op.arg ? (isWork ? at(i + 1).ns : 0) : -1;
  });
  return {
    code: Uint8Array.from(ops, (op) => op.code),
    arg: Int32Array.from(ops, (op) => op.arg),
    flag: Uint8Array.from(ops, (op) => op.flag),
    ns: Float64Array.from(ops, (op) => op.ns),
    closedNs: Float64Array.from(closedNs),
    answers,
    stacks: ops.map((op) => op.stack),
    simple: context.fuse ? simpleOf(ops, closedNs) : undefined,
  };
}

/** Sums neighbouring work and drops what takes no time. */
function fused(ops: readonly MicroOp[]): readonly MicroOp[] {
  const result: MicroOp[] = [];
  for (const op of ops) {
    const last = result.at(-1);
    if (op.code !== CODE.work) result.push(op);
    else if (op.ns === 0) continue;
    else if (last?.code === CODE.work) result[result.length - 1] = { ...last, ns: last.ns + op.ns };
    else result.push({ ...op, flag: 1 });
  }
  return result;
}

/** Marks the work that begins a stretch: one that would begin a sum. */
function withStretches(ops: readonly MicroOp[]): readonly MicroOp[] {
  return ops.map((op, i) =>
    op.code === CODE.work && ops[i - 1]?.code !== CODE.work ? { ...op, flag: 1 } : op,
  );
}

function simpleOf(ops: readonly MicroOp[], closedNs: readonly number[]): SimpleProgram | undefined {
  let i = 0;
  const workNs = () => {
    if (ops[i]!.code !== CODE.work) return 0;
    i += 1;
    return ops[i - 1]!.ns;
  };
  const leadNs = workNs();
  let lock = -1;
  let holdNs = 0;
  if (ops[i]!.code === CODE.lock && closedNs[i]! >= 0 && ops[i]!.flag === 0) {
    lock = ops[i]!.arg;
    i += 1;
    holdNs = workNs();
    i += 1;
  }
  const tailNs = workNs();
  return ops[i]!.code === CODE.end ? { leadNs, lock, holdNs, tailNs } : undefined;
}
