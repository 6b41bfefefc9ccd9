import { stream } from "./chance.ts";
import type { LockResult } from "./result.ts";
import type { BackgroundTask, PagesPhase, StormPhase, StormSetup, VmSetup } from "./setup.ts";
import { Storm } from "./storm.ts";

/** How a population of tasks gets on while nobody comes or goes. Per nanosecond. */
export interface SteadyRate {
  /** Page operations of each class, all its tasks together. */
  readonly operations: readonly number[];
  readonly locks: readonly LockRate[];
  readonly flushes: number;
  readonly backgroundOperations: number;
  /** CPUs that spin, on average. */
  readonly spinning: number;
}

export interface LockRate {
  readonly name: string;
  readonly acquisitions: number;
  readonly contended: number;
  readonly waitNs: number;
  readonly waitNsOfVms: number;
  readonly holdNs: number;
  /** Held or handed over. */
  readonly busy: number;
  readonly waitNsMax: number;
}

/**
 * Steady rates of populations, from short runs of the exact engine, each population once.
 *
 * The runs keep what the rate depends on: the same costs, locks, CPUs, background, the share of
 * large entries; tasks that started together stay in step, others are spread over their 2 MiB.
 */
export class SteadyRates {
  /** Operations simulated so far. */
  operations = 0;
  readonly #setup: StormSetup;
  readonly #classes: readonly PagesPhase[];
  readonly #inStep: boolean;
  readonly #known = new Map<string, SteadyRate>();

  constructor(setup: StormSetup, classes: readonly PagesPhase[], inStep: boolean) {
    this.#setup = setup;
    this.#classes = classes;
    this.#inStep = inStep;
  }

  /**
   * @param tasks  of each class that want a CPU
   * @param others  tasks that want a CPU for something else
   */
  of(tasks: readonly number[], others: number): SteadyRate {
    const key = `${tasks.join(",")} ${others}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      known = this.#measure(tasks, others);
      this.#known.set(key, known);
    }
    return known;
  }

  #measure(tasks: readonly number[], others: number): SteadyRate {
    const count = tasks.reduce((a, b) => a + b, 0);
    const { background, topology } = this.#setup;
    const crowded = count + others + background.length > topology.cpus;
    const inStep = this.#inStep && !crowded;
    const storm = new Storm(...this.#steadySetup(tasks, others, inStep));
    // Tasks in step split at the same time: whole rounds of 512 pages, from the middle of one to the
    // middle of another. Others are measured for as long as a given work of ours lasts, since a page
    // without a lock is a small part of an event.
    const round = 512 * count;
    const drawn = this.#setup.spread === "none" ? 1 : 4;
    const all = count + background.length;
    const least = Math.max(LEAST, 100 * all, (OPERATIONS_EACH * all) / count);
    const events = crowded ? CROWDED : drawn * least;
    if (inStep) storm.run(2.5 * round);
    else settle(storm, crowded ? events : events / 4, OPERATIONS_MAX / 4, round);
    const before = {
      ns: storm.nowNs,
      operations: storm.operationsByTask(),
      result: storm.result(),
    };
    const rounds = Math.max(8, Math.round(IN_STEP_OPERATIONS / round));
    if (inStep) storm.run((2.5 + rounds) * round);
    else settle(storm, events, OPERATIONS_MAX, round);
    const after = storm.result();
    this.operations += after.operations;
    const ns = storm.nowNs - before.ns;
    const done = storm.operationsByTask().map((all, t) => all - before.operations[t]!);
    let first = 0;
    const operations = tasks.map((n) => {
      const sum = done.subarray(first, first + n).reduce((a, b) => a + b, 0);
      first += n;
      return sum / ns;
    });
    const spinNs = (r: typeof after, at: number) => r.cpu.spin * topology.cpus * at;
    const spunNs = spinNs(after, storm.nowNs) - spinNs(before.result, before.ns);
    return {
      operations,
      locks: after.locks.map((lock, i) => lockRate(before.result.locks[i]!, lock, ns, before.ns)),
      flushes: (after.flushes - before.result.flushes) / ns,
      backgroundOperations: done.subarray(count).reduce((a, b) => a + b, 0) / ns,
      spinning: Math.max(0, spunNs) / ns, // Shares are rounded: none may come out as less.
    };
  }

  #steadySetup(
    tasks: readonly number[],
    others: number,
    inStep: boolean,
  ): ConstructorParameters<typeof Storm> {
    const setup = this.#setup;
    const count = tasks.reduce((a, b) => a + b, 0);
    // More than any run gets through: a class may be three times as fast as the mean.
    const ops = 1024 + 3 * Math.ceil((OPERATIONS_MAX + 12 * 512 * count) / count);
    const vms: VmSetup[] = [];
    let frame = 0;
    const random = stream(setup.seed, count, "think");
    this.#classes.forEach((phase, c) => {
      for (let i = 0; i < tasks[c]!; i += 1) {
        const n = vms.length;
        // Multiples of the golden ratio: any number of tasks is spread evenly over their 2 MiB.
        const place = (n * 0.6180339887498949) % 1;
        // What an exit takes is part of every page's time.
        const endless = { count: ops, batch: ops, batchNs: 0, split: false, asks: false };
        const steady: StormPhase = { ...phase, ...endless };
        // After the CPUs are given out: in an order of their own to the lock.
        const apartNs = random.below(10_000 + 1500 * count);
        vms.push({
          name: "steady",
          group: c,
          tenant: 0,
          priority: 0,
          startNs: 0,
          pages: ops * phase.pagesPerOp + 512,
          firstFrame: frame + (inStep ? 0 : Math.floor(place * 512)),
          tasks: 1,
          phases: inStep ? [steady] : [{ kind: "work", name: "apart", ns: apartNs }, steady],
        });
        frame += Math.ceil((ops * phase.pagesPerOp + 512) / 512) * 512;
      }
    });
    const { share1g, share2m } = setup.memory;
    const large = share1g + share2m;
    const warmFrom = frame / 512;
    const background: BackgroundTask[] = setup.background.map((task) => {
      frame += Math.ceil(task.pages / 512) * 512;
      return { ...task, startNs: 0, firstFrame: frame - Math.ceil(task.pages / 512) * 512 };
    });
    for (let i = 0; i < others; i += 1) background.push(busy());
    return [
      {
        ...setup,
        vms,
        background,
        policy: undefined,
        grain: "sections",
        ops: setup.ops.map((op) => this.#withExits(op)),
        memory: {
          regions: Math.ceil(frame / 512 / 512 + 1) * 512,
          share1g: 0,
          share2m: large,
          placement: "contiguous",
        },
      },
      // Pages that background tasks have been through are 4 KiB by now.
      { isLarge: (region) => region < warmFrom && (region * 0.6180339887498949) % 1 < large },
    ];
  }

  /** Exits are rare and long: their time is part of every page's. */
  #withExits(op: StormSetup["ops"][number]): StormSetup["ops"][number] {
    const phase = this.#classes.find((p) => p.ops.some((i) => this.#setup.ops[i] === op));
    if (phase === undefined) return op;
    const each = phase.batchNs / Math.min(phase.batch, phase.count);
    return { ...op, leadNs: op.leadNs + Math.round(each) };
  }
}

/** Events of a run: 4 ms of ours. */
const LEAST = 30_000;
/** Of each task of ours beside a large background: eight rounds of 512 pages, of which one is split. */
const OPERATIONS_EACH = 4096;
/** Time slices shuffle the order of CPUs; that takes some hundred of them to settle. */
const CROWDED = 400_000;
const OPERATIONS_MAX = 6_000_000;
/** The order in which tasks in step come to the lock wanders: 3 % from round to round. */
const IN_STEP_OPERATIONS = 500_000;

/** Runs on, a part of a round at a time, until so many events, or operations in all, are done. */
function settle(storm: Storm, events: number, operations: number, round: number): void {
  const part = Math.max(64, round >> 5);
  const until = storm.events + events;
  while (storm.events < until && storm.operations < operations) {
    storm.run(storm.operations + part);
  }
}

function busy(): BackgroundTask {
  return {
    name: "busy",
    vm: -1,
    tenant: -1,
    startNs: 0,
    pages: 0,
    phases: [{ kind: "work", name: "busy", ns: 2 ** 50 }],
  };
}

function lockRate(before: LockResult, after: LockResult, ns: number, beforeNs: number): LockRate {
  const busyNs = (lock: LockResult, at: number) => lock.utilisation * at;
  return {
    name: after.name,
    acquisitions: (after.acquisitions - before.acquisitions) / ns,
    contended: (after.contended - before.contended) / ns,
    waitNs: (after.waitNsTotal - before.waitNsTotal) / ns,
    waitNsOfVms: (after.waitNsOfVms - before.waitNsOfVms) / ns,
    holdNs: (after.holdNsTotal - before.holdNsTotal) / ns,
    busy: Math.min(1, (busyNs(after, beforeNs + ns) - busyNs(before, beforeNs)) / ns),
    waitNsMax: after.waitNsMax,
  };
}
