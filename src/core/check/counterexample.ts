import { DEADLOCK } from "../kernel/law.ts";
import type { MachineView } from "../kernel/machine/view.ts";
import type { Operation } from "../kernel/operation.ts";
import { type Instance, type InstanceSetup, writeInitial } from "./instance.ts";
import { Successors } from "./successor.ts";

/** One row of a counterexample: a CPU does a step, and this is what the machine looks like then. */
export interface ScheduleStep {
  readonly cpu: number;
  /** The kernel's step, or what the hardware does between steps of the kernel. */
  readonly kind: "kernel" | "ipi" | "store buffer";
  /** Kernel function, and the step in it. */
  readonly fn: string;
  readonly what: string;
  readonly op: Operation["op"];
  /** Private steps just before: allocation, filling a table. */
  readonly before: readonly string[];
  /** Index of the CPU's request that the step belongs to. */
  readonly request: number;
  /** Locks of this CPU after the step. */
  readonly held: readonly string[];
  readonly after: MachineView;
  /** `Law.bit`s broken by the step. */
  readonly broken: number;
}

export interface Replay {
  readonly initial: MachineView;
  readonly steps: readonly ScheduleStep[];
  /** Switches away from a CPU that could have gone on. */
  readonly preemptions: number;
  readonly broken: number;
}

/** Runs a schedule (unmerged choices) and tells every step. Stops where a choice cannot be taken. */
export function replay(instance: Instance, schedule: readonly number[]): Replay {
  const { machine, automaton, setup } = instance;
  const next = new Successors(instance, false);
  next.recordNodes = true;
  writeInitial(instance, next.bytes);
  const initial = machine.view(next.bytes);
  const steps: ScheduleStep[] = [];
  let preemptions = 0;
  let running = -1;
  let broken = 0;
  const cpus = setup.programs.length;
  for (const choice of schedule) {
    const before = next.words.slice();
    const isCpu = choice < cpus;
    if (isCpu && running >= 0 && choice !== running && next.take(running)) preemptions += 1;
    next.words.set(before);
    const nodeBefore = machine.node(next.bytes, next.cpuOf(choice));
    if (!next.take(choice)) break;
    const cpu = next.cpuOf(choice);
    if (isCpu) running = choice;
    const node = automaton.nodes[next.nodesTaken[0] ?? nodeBefore]!;
    const after = automaton.nodes[machine.node(next.bytes, cpu)]!;
    const kind = isCpu ? "kernel" : choice < cpus + cpus * cpus ? "ipi" : "store buffer";
    broken |= next.broken;
    steps.push({
      cpu,
      kind,
      fn: kind === "ipi" ? "flush_tlb_func" : (node.operation?.fn ?? "end"),
      what: kind === "ipi" ? "answer the IPI: flush" : (node.operation?.what ?? "end"),
      op: kind === "ipi" ? "flush" : (node.operation?.op ?? "work"),
      before: isCpu ? node.before.map((o) => `${o.fn}: ${o.what}`) : [],
      request: node.returned,
      held: after.held,
      after: machine.view(next.bytes),
      broken: next.broken,
    });
  }
  if (!canMove(next) && !next.allDone()) broken |= DEADLOCK.bit;
  return { initial, steps, preemptions, broken };
}

function canMove(next: Successors): boolean {
  const here = next.words.slice();
  for (let choice = 0; choice < next.choices; choice += 1) {
    next.words.set(here);
    if (next.take(choice)) {
      next.words.set(here);
      return true;
    }
  }
  next.words.set(here);
  return false;
}

/**
 * The schedule with the fewest preemptions, and among those the fewest steps, that breaks one of
 * the laws: a run that a person can follow. Best first over (state, CPU that runs), each kernel step
 * on its own.
 * @returns undefined when none was found among `entriesMax`
 */
export function simplestSchedule(
  instance: Instance,
  laws: number,
  entriesMax: number,
): readonly number[] | undefined {
  const next = new Successors(instance, false);
  const cpus = instance.setup.programs.length;
  writeInitial(instance, next.bytes);
  const entries: Entry[] = [{ words: next.words.slice(), running: -1, from: -1, choice: -1 }];
  const seen = new Set<string>();
  // queue[preemptions][steps]: both grow along a run, so this order is best first.
  const queue: number[][][] = [[[0]]];
  for (let preemptions = 0; preemptions < queue.length; preemptions += 1) {
    const level = queue[preemptions]!;
    for (let steps = 0; steps < level.length; steps += 1) {
      for (const index of level[steps] ?? []) {
        const entry = entries[index]!;
        const key = `${entry.running} ${entry.words.join(" ")}`;
        if (seen.has(key)) continue;
        seen.add(key);
        next.words.set(entry.words);
        const runningCanGoOn = entry.running >= 0 && next.take(entry.running);
        let moved = false;
        for (let choice = 0; choice < next.choices; choice += 1) {
          next.words.set(entry.words);
          if (!next.take(choice)) continue;
          moved = true;
          if (next.broken & laws) return scheduleOf(entries, index, choice);
          const isCpu = choice < cpus;
          const preempts = isCpu && runningCanGoOn && choice !== entry.running ? 1 : 0;
          if (entries.length >= entriesMax) return undefined;
          entries.push({
            words: next.words.slice(),
            running: isCpu ? choice : entry.running,
            from: index,
            choice,
          });
          queue[preemptions + preempts] ??= [];
          const bucket = queue[preemptions + preempts]!;
          bucket[steps + 1] ??= [];
          bucket[steps + 1]!.push(entries.length - 1);
        }
        next.words.set(entry.words);
        if (!moved && laws & DEADLOCK.bit && !next.allDone()) return scheduleOf(entries, index);
      }
    }
  }
  return undefined;
}

interface Entry {
  readonly words: Uint32Array;
  readonly running: number;
  readonly from: number;
  readonly choice: number;
}

function scheduleOf(entries: readonly Entry[], last: number, choice?: number): readonly number[] {
  const schedule = choice === undefined ? [] : [choice];
  for (let at = last; at > 0; at = entries[at]!.from) schedule.unshift(entries[at]!.choice);
  return schedule;
}

/**
 * A smaller question that breaks the same law: CPUs and requests are taken away one at a time while
 * `breaks` stays true.
 */
export function minimise(
  setup: InstanceSetup,
  breaks: (smaller: InstanceSetup) => boolean,
): InstanceSetup {
  for (const smaller of smallerSetups(setup)) {
    if (breaks(smaller)) return minimise(smaller, breaks);
  }
  return setup;
}

function smallerSetups(setup: InstanceSetup): readonly InstanceSetup[] {
  const { programs } = setup;
  const fewerCpus = programs
    .map((_, cpu) => programs.filter((_program, other) => other !== cpu))
    .filter((rest) => rest.length > 0);
  const fewerRequests = programs.flatMap((requests, cpu) =>
    requests.length < 2
      ? []
      : requests.map((_, i) =>
          programs.map((p, other) => (other === cpu ? p.filter((_r, j) => j !== i) : p)),
        ),
  );
  const own = setup.pages >= programs.length;
  return [...fewerCpus, ...fewerRequests].map((rest) => {
    const pages = own ? setup.pages - (programs.length - rest.length) : setup.pages;
    return { ...setup, programs: rest, pages: Math.max(pages, setup.regions) };
  });
}
