import type { Design } from "../kernel/design.ts";
import { Machine } from "../kernel/machine.ts";
import type { Request } from "../kernel/request.ts";
import { Automaton } from "./automaton.ts";

/** Everything that fixes one exploration. */
export interface InstanceSetup {
  readonly design: Design;
  /** What each CPU does, in order; one entry for each CPU. */
  readonly programs: readonly (readonly Request[])[];
  readonly pages: number;
  readonly regions: number;
  readonly start: "1g" | "2m" | "4k";
  readonly rmp: "none" | "hypervisor" | "guest-2m";
  /** "ipi": a TLB for each CPU, and a flush visits them one by one. */
  readonly flush: "broadcast" | "ipi";
  readonly storeBuffer: number;
  /** Labels of kernel steps to leave out: each must be missed, or the checker is not looking. */
  readonly omit?: readonly string[];
}

/** A machine and its programs, ready to be explored. */
export interface Instance {
  readonly setup: InstanceSetup;
  readonly machine: Machine;
  readonly automaton: Automaton;
  /** First node of each CPU. */
  readonly start: readonly number[];
  /**
   * A table, once installed, stays, and a CPU's PTE is stored by that CPU alone, as long as no law is
   * broken (a table over a table is).
   */
  readonly tablesStay: boolean;
  /** CPUs that can change places: lists of CPU numbers that follow each other, two or more each. */
  readonly classes: readonly { readonly first: number; readonly count: number }[];
}

/**
 * CPUs with equal programs are placed side by side.
 * @param mergeOnLive  see Automaton
 */
export function createInstance(setup: InstanceSetup, mergeOnLive = true): Instance {
  const cpus = setup.programs.length;
  const collapses = setup.programs.some((requests) => requests.some((r) => r.collapse));
  const machine = new Machine({
    design: setup.design,
    cpus,
    regions: setup.regions,
    pages: setup.pages,
    start: setup.design.preSplit ? "4k" : setup.start,
    tracksTables: collapses && setup.design.collapse !== "none",
    rmp: setup.rmp,
    flush: setup.flush,
    storeBuffer: setup.storeBuffer,
    contested: contestedOf(setup),
  });
  const names = setup.programs.map((requests) => requests.map((r) => r.name).join(" "));
  const distinct = [...new Set(names)];
  const kernel = { design: setup.design, flush: setup.flush, pud: machine.setup.start === "1g" };
  const automaton = new Automaton(
    machine,
    kernel,
    distinct.map((name) => setup.programs[names.indexOf(name)]!),
    { mergeOnLive, omit: setup.omit ?? [] },
  );
  const programOf = names.map((name) => distinct.indexOf(name));
  const start = programOf.map((p) => automaton.start(p));
  const wholeRegion = setup.programs.some((requests) => requests.some((r) => r.scope === "2M"));
  const tablesStay = !machine.setup.tracksTables && setup.pages >= cpus && !wholeRegion;
  const classes = classesOf(setup, machine, programOf);
  return { setup, machine, automaton, start, tablesStay, classes };
}

/** The first state, with every CPU at its program's start. */
export function writeInitial(instance: Instance, state: Uint8Array): void {
  instance.machine.initial(state);
  instance.start.forEach((node, cpu) => {
    instance.machine.setNode(state, cpu, node);
  });
}

/** By page: attributes that one CPU sets and another one clears. */
function contestedOf({ programs, pages, regions }: InstanceSetup): readonly number[] {
  return Array.from({ length: pages }, (_, page) => {
    const asked = programs.map((requests, cpu) => {
      const here = requests.filter(({ scope }) =>
        scope === "2M" ? (cpu % pages) % regions === page % regions : cpu % pages === page,
      );
      const bits = (of: (request: Request) => number) => here.reduce((all, r) => all | of(r), 0);
      return { set: bits((r) => r.set), clear: bits((r) => r.clear) };
    });
    return asked.reduce(
      (all, one) =>
        asked.reduce((more, other) => (one === other ? more : more | (one.set & other.clear)), all),
      0,
    );
  });
}

function classesOf(setup: InstanceSetup, machine: Machine, programOf: readonly number[]) {
  const wholeRegion = setup.programs.some((requests) => requests.some((r) => r.scope === "2M"));
  // A request over 512 pages visits them in order: pages then have names.
  if (!machine.interchangeable || wholeRegion || setup.regions > 1) return [];
  const classes: { first: number; count: number }[] = [];
  for (let cpu = 0; cpu < programOf.length; cpu += 1) {
    const last = classes.at(-1);
    if (last !== undefined && programOf[last.first] === programOf[cpu]) last.count += 1;
    else classes.push({ first: cpu, count: 1 });
  }
  return classes.filter((c) => c.count > 1);
}
