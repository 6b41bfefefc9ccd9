import { assert } from "../assert.ts";
import { problemsOf } from "../kernel/design/read.ts";
import type { Design } from "../kernel/design.ts";
import { bitsOf, LAWS, type Law, lawsUnder } from "../kernel/law.ts";
import { minimise, type Replay, replay, simplestSchedule } from "./counterexample.ts";
import { type Coverage, coverageOf, emptyReason } from "./coverage.ts";
import { type Exploration, type ExploreOptions, explore } from "./explore.ts";
import { createInstance, type InstanceSetup } from "./instance.ts";
import { badQuestion, parseProgram, type Question, setupOf } from "./question.ts";
import { BYTES_BESIDE_STATE } from "./state-store.ts";

/** How far a search may go. The core has no clock: `shouldStop` is asked every 4,096 states. */
export interface Limits {
  readonly statesMax: number;
  readonly memoryBytes: number;
  readonly shouldStop: () => boolean;
  readonly onProgress: (states: number, depth: number) => void;
  /** Merge lock steps; count CPUs that are alike once. Off: slower, and the same verdict. */
  readonly merge: boolean;
  readonly symmetry: boolean;
}

export const DEFAULT_LIMITS: Limits = {
  statesMax: 50_000_000,
  memoryBytes: 2 ** 30,
  shouldStop: () => false,
  onProgress: () => {},
  merge: true,
  symmetry: true,
};

/** The answer to one question. */
export interface Verdict {
  readonly design: string;
  readonly operations: string;
  readonly cpus: number;
  readonly pages: number;
  readonly regions: number;
  /** "safe" only if every state was visited and every step the design promises was seen. */
  readonly verdict: "safe" | "unsafe" | "unknown";
  /** Why not: a limit that was reached, or a question that tests nothing. */
  readonly unknown?: {
    readonly why: "states" | "memory" | "time" | "vacuous";
    readonly text: string;
  };
  readonly counterexample?: Counterexample;
  /** Laws that are broken and are no verdict: see `Law.grade` and `TlbRule`. */
  readonly warnings: readonly Law[];
  readonly states: number;
  readonly transitions: number;
  readonly complete: boolean;
  readonly coverage: Coverage;
  readonly assumptions: readonly string[];
}

/** The shortest run found that breaks a law, on the smallest question that still breaks it. */
export interface Counterexample {
  readonly law: Law;
  /** All laws that its last step breaks. */
  readonly laws: readonly Law[];
  /** What each CPU asks for, by request names. */
  readonly programs: readonly (readonly string[])[];
  readonly replay: Replay;
  readonly schedule: SavedSchedule;
}

/** Enough to run the counterexample again: plain data. */
export interface SavedSchedule {
  readonly version: 1;
  readonly design: Design;
  readonly programs: readonly (readonly string[])[];
  readonly pages: number;
  readonly regions: number;
  readonly start: InstanceSetup["start"];
  readonly rmp: InstanceSetup["rmp"];
  readonly flush: InstanceSetup["flush"];
  readonly storeBuffer: number;
  /** Choice by choice: the CPU, or an IPI or store buffer by number (see Successors). */
  readonly choices: readonly number[];
  readonly omit: readonly string[];
  readonly law: string;
}

/**
 * Explores every interleaving of the question and answers it.
 * @throws BootstormError when the question cannot be put to the model
 */
export function checkDesign(question: Question, limits: Limits = DEFAULT_LIMITS): Verdict {
  const setup = setupOf(question);
  const lawsAsked = lawsUnder(question.tlbRule);
  const laws = bitsOf(lawsAsked);
  const empty = emptyReason(setup);
  const instance = createInstance(setup);
  const options = { ...exploreOptions(limits), laws };
  const found = explore(instance, options);
  const coverage = coverageOf(instance, found, options);
  const vacuous = empty ?? coverage.missing[0];
  assert(
    coverage.selfCheck?.passed !== false,
    "a reduction lost states: please report this question",
  );
  const base = {
    design: question.design.name,
    operations: question.operations,
    cpus: question.cpus,
    pages: setup.pages,
    regions: setup.regions,
    warnings: LAWS.filter((l) => found.noted & l.bit && l.grade === "warning"),
    states: found.states,
    transitions: found.transitions,
    complete: found.complete,
    coverage,
    assumptions: assumptionsOf(question, setup),
  };
  if (found.broken) {
    return { ...base, verdict: "unsafe", counterexample: counterexampleOf(setup, found, options) };
  }
  if (found.stopped !== undefined) {
    return { ...base, verdict: "unknown", unknown: stoppedText(found.stopped, found.states) };
  }
  if (vacuous !== undefined) {
    return { ...base, verdict: "unknown", unknown: { why: "vacuous", text: vacuous } };
  }
  return { ...base, verdict: "safe" };
}

/** The verdicts of several designs for several kinds of operations, row by row. */
export function verdictTable(
  designs: readonly Design[],
  operations: readonly string[],
  question: Omit<Question, "design" | "operations">,
  limits: Limits = DEFAULT_LIMITS,
  onVerdict: (verdict: Verdict) => void = () => {},
): Verdict[] {
  return designs.flatMap((design) =>
    operations.map((name) => {
      const verdict = checkDesign({ ...question, design, operations: name }, limits);
      onVerdict(verdict);
      return verdict;
    }),
  );
}

/** How large the exploration is expected to be, from the same question at fewer CPUs. */
export interface Estimate {
  readonly states: number;
  readonly bytes: number;
  /** The counts it was taken from. */
  readonly measured: readonly { readonly cpus: number; readonly states: number }[];
}

/** Small explorations first: growth by the last ratio, which falls with symmetry, so an upper guess. */
export function estimateSize(question: Question, limits: Limits = DEFAULT_LIMITS): Estimate {
  const small = [2, 3, 4, 5].filter((cpus) => cpus <= question.cpus);
  const measured = small.map((cpus) => {
    const instance = createInstance(setupOf({ ...question, cpus }));
    const { states } = explore(instance, {
      ...exploreOptions(limits),
      laws: 0,
      statesMax: 200_000,
      progressStatesMax: 0,
    });
    return { cpus, states };
  });
  const setup = setupOf(question);
  const row = createInstance(setup).machine.bytes + BYTES_BESIDE_STATE;
  const last = measured.at(-1) ?? { cpus: question.cpus, states: 1 };
  const before = measured.at(-2) ?? last;
  const ratio = before === last ? 1 : last.states / before.states;
  const states = Math.round(last.states * ratio ** (question.cpus - last.cpus));
  return { states, bytes: states * row, measured };
}

/** Only whether some law is broken: no counterexample, no coverage. False also if a limit is met. */
export function breaksSomeLaw(question: Question, limits: Limits = DEFAULT_LIMITS): boolean {
  const laws = bitsOf(lawsUnder(question.tlbRule));
  return (
    explore(createInstance(setupOf(question)), { ...exploreOptions(limits), laws }).broken !== 0
  );
}

/**
 * Runs a saved schedule again; `broken` of the result says which laws it breaks.
 * @throws BootstormError when the file names requests or a design that cannot be
 */
export function replaySaved(saved: SavedSchedule): Replay {
  const problems: string[] = [...problemsOf(saved.design)];
  const programs = saved.programs.map((names) => parseProgram(names.join(" "), problems));
  if (problems.length > 0) throw badQuestion(problems);
  return replay(createInstance({ ...saved, programs }), saved.choices);
}

/** Backwards over more states than this would cost more than the answer is worth. */
const PROGRESS_STATES_MAX = 300_000;

function exploreOptions(limits: Limits): Omit<ExploreOptions, "laws"> {
  return { ...limits, pastViolations: false, progressStatesMax: PROGRESS_STATES_MAX };
}

function counterexampleOf(
  setup: InstanceSetup,
  found: Exploration,
  options: ExploreOptions,
): Counterexample {
  const law = LAWS.find((l) => found.broken & l.bit)!;
  const laws = law.bit;
  // A minimised search is small: it never runs longer than the one that found the violation.
  const small = { ...options, laws, statesMax: 10 * found.states + 10_000, onProgress: () => {} };
  const breaks = (smaller: InstanceSetup) => explore(createInstance(smaller), small).broken !== 0;
  const smallest = minimise(setup, breaks);
  const instance = createInstance(smallest);
  const choices =
    simplestSchedule(instance, laws, 300_000) ??
    explore(instance, { ...small, merge: false, symmetry: false }).schedule;
  const run = replay(instance, choices);
  const programs = smallest.programs.map((requests) => requests.map((r) => r.name));
  const { design, pages, regions, start, rmp, flush, storeBuffer } = smallest;
  return {
    law,
    laws: LAWS.filter((l) => run.broken & l.bit && options.laws & l.bit),
    programs,
    replay: run,
    schedule: {
      version: 1,
      design,
      programs,
      pages,
      regions,
      start,
      rmp,
      flush,
      storeBuffer,
      choices,
      omit: smallest.omit ?? [],
      law: law.id,
    },
  };
}

function stoppedText(why: "states" | "memory" | "time", states: number) {
  const limit = {
    states: "the limit of states",
    memory: "the memory limit",
    time: "the time limit",
  };
  return { why, text: `unknown after ${states} states: ${limit[why]} was reached` };
}

function assumptionsOf(question: Question, setup: InstanceSetup): readonly string[] {
  const rules = {
    "note-2007":
      "two translations of one address that differ in attributes are an error (TLB application note, 2007)",
    "sdm-today":
      "of two translations with different access rights either may be used; different memory types are an error (SDM today)",
    "erratum-383": "two translations of one address are an error even if equal (AMD erratum 383)",
  };
  const own = setup.pages >= setup.programs.length;
  return [
    rules[question.tlbRule],
    "a TLB may load every reachable translation at any time and keep it; never a non-present one",
    question.memoryModel === "sc"
      ? "memory is sequentially consistent"
      : "stores wait in a buffer of two for each CPU (x86-TSO)",
    question.flush === "broadcast"
      ? "a flush reaches all CPUs in one step"
      : "a flush is an IPI to each CPU, answered in any order",
    own
      ? "each CPU changes a page of its own (the contract in asm/set_memory.h)"
      : "CPUs change the same page (breaks the contract in asm/set_memory.h); where they ask contrary things, what a request did is not judged when it returns",
    `${setup.pages} pages of a 2 MiB region stand for 512; frames never differ (identity map)`,
  ];
}
