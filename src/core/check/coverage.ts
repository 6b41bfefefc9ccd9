import { type Design, parseLockUse, SECTIONS } from "../kernel/design.ts";
import { KIND } from "../kernel/machine/instruction.ts";
import { labelOf, type Operation } from "../kernel/operation.ts";
import { type Exploration, type ExploreOptions, explore } from "./explore.ts";
import { createInstance, type Instance, type InstanceSetup } from "./instance.ts";

/** What an exploration looked at, so that "safe" can be judged. */
export interface Coverage {
  /** Longest shortest way to a state. */
  readonly depth: number;
  /** What the stored states stand for when CPUs have names. */
  readonly statesWithoutSymmetry: number;
  readonly reductions: readonly string[];
  /** The reductions, tried against searches without them. */
  readonly selfCheck?: SelfCheck;
  /** Why there is no self-check. */
  readonly selfCheckAbsent?: string;
  /** Every CPU can finish from every state; undefined where there were too many states to look. */
  readonly progress?: boolean;
  /** Steps of the kernel that some run did, and those that no run did. */
  readonly reached: readonly string[];
  readonly unreached: readonly string[];
  readonly locks: readonly { readonly name: string; readonly contended: boolean }[];
  /** How often a law was put to a real test. */
  readonly tested: {
    /** A TLB could hold two sizes for one address (C1). */
    readonly bothSizes: number;
    /** A flush had something to drop (C4). */
    readonly flushCleared: number;
    /** A PTE was stored while a detached table existed (C2). */
    readonly storeAfterDetach: number;
    /** A flushing request returned (C4). */
    readonly returnFlushed: number;
  };
  /** Steps that the design or the operations promise and no run did: the answer is then vacuous. */
  readonly missing: readonly string[];
}

/**
 * The same question at 3 CPUs at most, put to three searches. Each visits its whole space, whatever
 * the verdict: a step that breaks a law is a dead end, and the search goes on beside it. So the
 * counts can be compared for an unsafe design too.
 */
export interface SelfCheck {
  readonly cpus: number;
  /** States that the reduced search stands for, and states without symmetry: equal, or a bug. */
  readonly reduced: number;
  readonly unreduced: number;
  /** With every lock step on its own and without symmetry, some law is broken if it is here. */
  readonly sameVerdictUnmerged: boolean;
  /** All of that, and the same laws broken with symmetry and without. */
  readonly passed: boolean;
}

/** A question that asks nothing; undefined where it asks something. */
export function emptyReason(setup: InstanceSetup): string | undefined {
  const empty = setup.programs.findIndex((requests) => requests.length === 0);
  return empty < 0 ? undefined : `vacuous: CPU ${empty} has no request, so nothing is tested`;
}

export function coverageOf(
  instance: Instance,
  found: Exploration,
  options: ExploreOptions,
): Coverage {
  const { automaton, machine, setup } = instance;
  const executed = automaton.nodes.filter((n) => found.executed[n.id]);
  const labels = (nodes: typeof automaton.nodes) => [
    ...new Set(
      nodes.flatMap((n) => [
        ...n.before.map(labelOf),
        ...(n.operation === undefined ? [] : [labelOf(n.operation)]),
      ]),
    ),
  ];
  const reached = labels(executed);
  const tested = { ...machine.tested };
  const merges = options.merge && setup.storeBuffer === 0;
  const reductions = [
    ...(merges ? ["lock steps merged with their neighbours"] : []),
    ...(merges && instance.tablesStay ? ["look-ups of a table that stays merged too"] : []),
    ...(options.symmetry && instance.classes.length > 0
      ? ["CPUs with the same program counted once"]
      : []),
  ];
  const selfCheck =
    reductions.length > 0
      ? selfCheckOf(setup, options)
      : "nothing was reduced, so there is nothing to compare";
  const kinds = new Set(executed.map((n) => automaton.kind[n.id]!));
  return {
    depth: found.depth,
    statesWithoutSymmetry: found.orbits,
    reductions,
    ...(typeof selfCheck === "string" ? { selfCheckAbsent: selfCheck } : { selfCheck }),
    ...(found.progress === undefined ? {} : { progress: found.progress }),
    reached,
    unreached: allLabels(instance, labels).filter((label) => !reached.includes(label)),
    locks: machine.lockNames().map((name, i) => ({ name, contended: found.contended[i] === 1 })),
    tested,
    missing: found.complete
      ? [
          ...missingSteps(setup, kinds),
          ...missingLocks(
            setup,
            executed.map((n) => n.operation),
          ),
        ]
      : [],
  };
}

/** Small enough to be explored whole in milliseconds. */
const SELF_CHECK_CPUS = 3;
const SELF_CHECK_STATES_MAX = 200_000;

/** Or why not, in words. */
function selfCheckOf(setup: InstanceSetup, options: ExploreOptions): SelfCheck | string {
  const all = setup.programs.length;
  const cpus = Math.min(SELF_CHECK_CPUS, all);
  const own = setup.pages >= all;
  // Spread over the CPUs, so that each kind of program is there as far as it fits.
  const programs = Array.from(
    { length: cpus },
    (_, i) => setup.programs[Math.floor((i * all) / cpus)]!,
  );
  const small = { ...setup, programs, pages: own ? Math.max(cpus, setup.regions) : setup.pages };
  // One for all three: they unfold the same programs.
  const instance = createInstance(small);
  const search = (merge: boolean, symmetry: boolean) =>
    explore(instance, {
      ...options,
      merge,
      symmetry,
      pastViolations: true,
      statesMax: SELF_CHECK_STATES_MAX,
      onProgress: () => {},
      progressStatesMax: 0,
    });
  const reduced = search(options.merge, options.symmetry);
  const plain = search(options.merge, false);
  const unmerged = search(false, false);
  const stopped = reduced.stopped ?? plain.stopped ?? unmerged.stopped;
  if (stopped !== undefined) {
    const limit = stopped === "states" ? `${SELF_CHECK_STATES_MAX} states` : `the ${stopped} limit`;
    return `the same question at ${cpus} CPUs, not reduced, did not end within ${limit}`;
  }
  const sameVerdictUnmerged = (reduced.broken !== 0) === (unmerged.broken !== 0);
  return {
    cpus,
    reduced: reduced.orbits,
    unreduced: plain.states,
    sameVerdictUnmerged,
    passed:
      sameVerdictUnmerged && reduced.broken === plain.broken && reduced.orbits === plain.states,
  };
}

/** Labels of every step that the programs have, whatever the other CPUs do. */
function allLabels(
  instance: Instance,
  labels: (nodes: Instance["automaton"]["nodes"]) => string[],
): string[] {
  const { automaton } = createInstance(instance.setup);
  const results = resultsByKind(instance.setup);
  for (let id = 0; id < automaton.nodes.length && id < NODES_MAX; id += 1) {
    const kind = automaton.kind[id]!;
    if (kind === KIND.done || automaton.nodes[id]!.broken !== 0) continue;
    for (const result of results(kind)) automaton.next(id, result);
  }
  return labels(automaton.nodes);
}

/** More thread states than any program of ours has; a limit for a user's. */
const NODES_MAX = 5_000;

/** Every answer that an operation can get. */
function resultsByKind(setup: InstanceSetup): (kind: number) => readonly number[] {
  let seen = new Set([7]);
  for (const request of setup.programs.flat()) {
    const more = [...seen].map((a) => (a & ~request.clear) | request.set);
    // The SNP paths unmap and map.
    if (request.via === "rmpupdate-2022") more.push(...[...seen].flatMap((a) => [a & ~3, a | 3]));
    seen = new Set([...seen, ...more]);
  }
  const attributes = [...seen];
  return (kind) => {
    switch (kind) {
      case KIND.readPmd:
        return [...attributes, 16, ...(setup.design.splitMark ? [17] : [])];
      case KIND.readPud:
        return [...attributes, 16];
      case KIND.readPte:
        return attributes;
      case KIND.scanPtes:
        return [...attributes, 16];
      case KIND.rmpupdate:
        return [0, 4];
      case KIND.pvalidate:
        return [0, 6];
      default:
        return [0];
    }
  };
}

/** Steps without which "safe" would say nothing. */
function missingSteps(setup: InstanceSetup, kinds: ReadonlySet<number>): readonly string[] {
  const { design } = setup;
  const requests = setup.programs.flat();
  const changes = requests.some((r) => (r.set | r.clear) !== 0 && r.scope === "page");
  const start = design.preSplit ? "4k" : setup.start;
  const flushes = kinds.has(KIND.flush) || kinds.has(KIND.flushSend);
  const set = requests.some((r) => r.via === "set_memory" && (r.set | r.clear) !== 0);
  const missing = [
    changes && !kinds.has(KIND.writePte) && "no PTE was ever stored",
    changes && start !== "4k" && !kinds.has(KIND.installPmdTable) && "no large entry was split",
    design.splitFlush !== "none" && start !== "4k" && changes && !flushes && "no flush was done",
    design.finalFlush && set && !flushes && "no flush was done",
    requests.some((r) => r.collapse) &&
      design.collapse !== "none" &&
      !kinds.has(KIND.writePmd) &&
      "nothing was collapsed",
    requests.some((r) => r.guest !== undefined) && !kinds.has(KIND.rmpupdate) && "no RMPUPDATE",
  ];
  return [...new Set(missing.filter((m) => m !== false))].map((m) => `vacuous: ${m}`);
}

/** Locks in sections that these requests go through, and that no run took. */
function missingLocks(
  setup: InstanceSetup,
  executed: readonly (Operation | undefined)[],
): readonly string[] {
  const taken = new Set(executed.flatMap((o) => (o?.op === "lock" ? [o.lock] : [])));
  return locksExpected(setup)
    .filter((name) => !taken.has(name))
    .map((name) => `vacuous: lock ${name} was never taken`);
}

function locksExpected(setup: InstanceSetup): readonly string[] {
  const { design } = setup;
  const requests = setup.programs.flat();
  const setMemory = requests.some((r) => r.via === "set_memory");
  const splits = (design.preSplit ? "4k" : setup.start) !== "4k";
  const changes = requests.some((r) => r.via === "set_memory" || r.via === "set_direct_map");
  const collapses = requests.some((r) => r.collapse) && design.collapse !== "none";
  const passed = (section: keyof Design["sections"]): boolean => {
    switch (section) {
      case "request":
      case "change":
        return setMemory;
      case "round":
        return changes && (splits || design.skipRoundFor === "nothing");
      case "decide":
      case "split":
        return changes && splits && requests.some((r) => (r.set | r.clear) !== 0);
      case "store":
        return changes && requests.some((r) => r.scope === "page");
      case "collapse":
      case "collapse2m":
        return collapses;
    }
  };
  return [
    ...new Set(
      SECTIONS.filter(passed).flatMap((s) => design.sections[s].map((u) => parseLockUse(u).lock)),
    ),
  ];
}
