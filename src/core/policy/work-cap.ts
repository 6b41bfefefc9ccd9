import { clamp, LIMIT_FIELDS } from "./adaptive-cap.ts";
import type { CapRule } from "./boot-cap.ts";
import { type BootEnd, type LeastBoot, learned, leastOf, lighten } from "./least-boot.ts";
import type { Filled } from "./option.ts";
import type { CapCause, Json, Sample } from "./policy.ts";

export const WORK_FIELDS = {
  ...LIMIT_FIELDS,
  bootsMax: { ...LIMIT_FIELDS.bootsMax, default: 1000 },
  tolerance: {
    type: "number",
    min: 1.01,
    max: 10,
    // Single boots of one image scatter by 10 to 16 % in CPU time; means of four by half of that.
    default: 2,
    title: "boots may take so many times what they take with few beside them before the cap sinks",
  },
} as const;

/** With less of the CPUs idle than this, more boots would not get more done. */
const IDLE_MIN = 0.05;
/** Until boots have been too many once, a round may raise the cap to so many times itself. */
const RUSH = 4;
/** From then on by this part of it. */
const CREEP = 1 / 8;
/** More boots than CPUs may cost each other this much: what they fill of the CPUs is not much more. */
const WORK_BEYOND_CPUS = 1.1;
/** After so many rounds with all CPUs busy one boot less is tried, where there are more than CPUs. */
const BUSY_ROUNDS = 8;
/** A round is a quarter of the cap, within these. */
const ROUND_MIN = 4;
const ROUND_MAX = 16;
/** After so many rounds under a lowered cap, what a boot takes with few beside it is measured anew. */
const ROUNDS_UNTIL_MEASURED = 32;
/** How much longer all may take than without a limit, for what neighbours gain by it. */
const NEIGHBOURS_GAIN = 0.05;
/** Weight of the newest sample in the number of neighbours. */
const NEIGHBOURS_WEIGHT = 0.25;

/** Sums over boots, and what the same boots take with few beside them. */
type Compared = { boots: number; ns: number; leastNs: number };

type Round = {
  /** Boots to come that have still seen the cap before. */
  skip: number;
  boots: number;
  mostInService: number;
  cpu: Compared;
  latency: Compared;
  idle: number;
  samples: number;
};

type State = {
  cap: number;
  because: CapCause;
  cpus?: number;
  /** Of the last sample. */
  idle: number;
  /** Boots have never been too many. */
  rush: boolean;
  least: LeastBoot[];
  /** Boots that ended since more than a few were in service. */
  endedAmongFew: number;
  roundsSinceFew: number;
  /** Since the cap changed or a CPU was idle. */
  busyRounds: number;
  /** While `least` is measured anew: what to go back to. */
  resume?: { readonly cap: number; readonly because: CapCause };
  /** Of the last round: most in service, and how many times their least the boots took. */
  mostBefore: number;
  work: number;
  queue: number;
  /** Threads of others that compete for the CPUs, and the cap that is due to them. */
  neighbours?: number;
  capBesideNeighbours: number;
  /** Most boots in service and waiting since nobody waited. */
  storm: number;
  round: Round;
};

/**
 * The smallest cap that gets as much done as any other, found without knowing anything beforehand but
 * the number of CPUs.
 *
 * It begins with few boots and goes on in rounds. While launchers wait and CPUs are idle, the cap
 * grows towards as many boots as fill the CPUs. Where boots take more CPU time than with few beside
 * them, they spin, or spoil each other's caches; behind a lock the work inflates as n/N*, so the cap
 * is divided by it. Where they take longer while CPUs are idle, they queue for something that is no
 * CPU (the PSP, a mutex, a disk), and the same division holds for their time. Nothing else brings the
 * cap below the number of CPUs: boots that only share CPUs lose nothing.
 *
 * Where no CPU is idle because others work too, each boot held back gives its share to them. With b
 * neighbours and N boots, n at a time, all are ready after 1 + b/n times the boots' work: n is chosen
 * so that this is 5 % more than without a limit, 1 + b/n = 1.05·(1 + b/N). The mean since the
 * request, as (1 + b/n)·(N + n), is least at n = √(N·b) and at most 10 % above that here. Boots of
 * weight w stand for w: n·w in place of n.
 *
 * Boots are compared with boots of about the same memory, for work grows with pages. Images and
 * numbers of vCPUs are not told apart: a mixture that changes looks like boots that do. Those who
 * fail are not measured. Without CPU times only time counts; without samples of the CPUs the cap may
 * sink and does not grow. Not seen: boots that wait for something else than a CPU beside neighbours
 * that use all CPUs; their cap is too high.
 */
export function workCap(options: Filled<typeof WORK_FIELDS>): CapRule {
  const { tolerance } = options;
  let state: State = {
    cap: clamp(options, options.bootsStart),
    because: { kind: "start" },
    idle: 0,
    rush: true,
    least: [],
    endedAmongFew: options.bootsStart,
    roundsSinceFew: 0,
    busyRounds: 0,
    mostBefore: 0,
    work: 1,
    queue: 1,
    capBesideNeighbours: 0,
    storm: 0,
    round: newRound(0),
  };

  function cap(): number {
    return isBesideNeighbours() ? clamp(options, capBesideNeighbours()) : state.cap;
  }

  function because(): CapCause {
    if (!isBesideNeighbours()) return state.because;
    return { kind: "neighbours", threads: state.neighbours! };
  }

  /** Only where all CPUs may be used: a cap that sank for what boots do to each other stays there. */
  function isBesideNeighbours(): boolean {
    const { cap, cpus = Number.POSITIVE_INFINITY, resume } = state;
    return resume === undefined && cap >= cpus && capBesideNeighbours() > cap;
  }

  function capBesideNeighbours(): number {
    const inflated = Math.max(1, state.work / tolerance);
    return Math.floor(state.capBesideNeighbours / inflated);
  }

  /** As many boots at once as tell what one takes without others. */
  function few(): number {
    return Math.min(options.bootsStart, state.cpus ?? options.bootsStart);
  }

  function observe(sample: Sample, inService: number, _nowNs: number, waiting: number): void {
    if (sample.kind === "host-cpu") observeCpus(sample, inService, waiting);
    else if (sample.kind === "boot-finished") observeBoot(sample, inService, waiting);
  }

  function observeCpus(
    { cpus, idleShare, bootShare = 0, bootWeight = 1 }: Extract<Sample, { kind: "host-cpu" }>,
    inService: number,
    waiting: number,
  ): void {
    if (state.cpus === undefined && state.cap > cpus) {
      change(cpus, { kind: "cpus", cpus }, inService);
    }
    state.cpus = cpus;
    state.idle = idleShare;
    if (waiting === 0) {
      state.storm = 0;
      state.capBesideNeighbours = 0;
      delete state.neighbours;
      return;
    }
    // What was idle while nobody waited says nothing of the cap.
    state.round.idle += idleShare;
    state.round.samples += 1;
    if (bootShare === 0) return;
    const others = Math.max(0, 1 - idleShare - bootShare);
    const seen = idleShare > IDLE_MIN ? 0 : (inService * bootWeight * others) / bootShare;
    // From none: a weight that makes neighbours yield needs a moment to be given.
    const before = state.neighbours ?? 0;
    const b = before + (seen - before) * NEIGHBOURS_WEIGHT;
    const all = Math.max(state.storm, inService + waiting);
    state.storm = all;
    state.neighbours = b;
    state.capBesideNeighbours =
      (all * b) / (NEIGHBOURS_GAIN * all + (1 + NEIGHBOURS_GAIN) * b || 1) / bootWeight;
  }

  function observeBoot(boot: BootEnd, inService: number, waiting: number): void {
    const { round } = state;
    const isAmongFew = inService <= few() && state.endedAmongFew >= few();
    if (inService > few()) state.endedAmongFew = 0;
    else if (inService === 1) state.endedAmongFew = few();
    else state.endedAmongFew += 1;
    round.mostInService = Math.max(round.mostInService, inService);
    const isOld = round.skip > 0;
    if (isOld) round.skip -= 1;
    if (boot.failed) return;
    if (isAmongFew) learn(boot);
    if (isOld) return;
    count(boot);
    const enough = Math.max(ROUND_MIN, Math.min(ROUND_MAX, state.cap / 4));
    if (round.boots >= enough) conclude(inService, waiting);
  }

  /** Its time counts only where it did not have to wait for a CPU. */
  function learn(boot: BootEnd): void {
    const least = leastOf(state.least, boot);
    if (boot.cpuNs !== undefined) least.cpu = learned(least.cpu, boot.cpuNs);
    if (state.idle > IDLE_MIN) least.latency = learned(least.latency, boot.latencyNs);
    state.roundsSinceFew = 0;
  }

  function count(boot: BootEnd): void {
    const { round, work, queue } = state;
    const { cpuNs, latencyNs } = boot;
    const least = leastOf(state.least, boot);
    round.boots += 1;
    // A size that was never seen among few: it is as inflated as the others were.
    if (cpuNs !== undefined) {
      least.cpu ??= learned(undefined, cpuNs / work);
      add(round.cpu, cpuNs, least.cpu.ns);
    }
    if (state.idle > IDLE_MIN) least.latency ??= learned(undefined, latencyNs / queue);
    if (least.latency !== undefined) add(round.latency, latencyNs, least.latency.ns);
  }

  function conclude(inService: number, waiting: number): void {
    const { round, resume, cpus = Number.POSITIVE_INFINITY } = state;
    const idle = round.samples > 0 ? round.idle / round.samples : state.idle;
    const work = ratio(round.cpu);
    const queue = idle > IDLE_MIN ? ratio(round.latency) : 1;
    if (work < 1 / tolerance) lighten(state.least, "cpu", work);
    if (queue < 1 / tolerance) lighten(state.least, "latency", queue);
    state.work = Math.max(1, work);
    state.queue = Math.max(1, queue);
    state.roundsSinceFew += 1;
    state.round = newRound(0);
    // Boots that end while a storm does have seen more beside them.
    const most = Math.max(round.mostInService, state.mostBefore);
    state.mostBefore = round.mostInService;
    if (resume !== undefined) {
      delete state.resume;
      change(resume.cap, resume.because, inService);
    } else if (work > tolerance) {
      cut((Math.min(most, cpus) * tolerance) / work, inService, {
        kind: "boot-work",
        ...perBoot(round.cpu),
        limit: tolerance,
      });
    } else if (queue > tolerance) {
      cut((most * tolerance) / queue, inService, {
        kind: "boot-queue",
        ...perBoot(round.latency),
        limit: tolerance,
      });
    } else grow(idle, work, inService, waiting);
  }

  function cut(to: number, inService: number, why: CapCause): void {
    state.rush = false;
    if (state.roundsSinceFew > ROUNDS_UNTIL_MEASURED && few() < state.cap) {
      state.resume = { cap: state.cap, because: state.because };
      change(few(), { kind: "measuring" }, inService);
    } else if (Math.ceil(to) < state.cap) change(Math.ceil(to), why, inService);
  }

  function grow(idle: number, work: number, inService: number, waiting: number): void {
    const { cap, cpus, rush } = state;
    if (cpus === undefined) return;
    const pays = cap < cpus || work < WORK_BEYOND_CPUS;
    state.busyRounds = idle > IDLE_MIN ? 0 : state.busyRounds + 1;
    if (cap > cpus && (!pays || state.busyRounds >= BUSY_ROUNDS)) {
      change(cap - 1, { kind: "cpus", cpus }, inService);
      return;
    }
    if (waiting === 0 || !pays) return;
    const most = rush ? cap * RUSH : cap + Math.ceil(cap * CREEP);
    if (idle > IDLE_MIN) {
      const filling = Math.floor(cap / Math.max(0.01, 1 - idle));
      change(
        Math.min(most, Math.max(cap + 1, filling)),
        { kind: "idle-cpus", share: idle },
        inService,
      );
    } else if (cap < cpus && state.capBesideNeighbours > cap) {
      change(Math.min(most, cpus), { kind: "neighbours", threads: state.neighbours! }, inService);
    }
  }

  function change(to: number, why: CapCause, inService: number): void {
    const cap = clamp(options, to);
    if (cap === state.cap) return;
    state.cap = cap;
    state.because = why;
    state.busyRounds = 0;
    state.round = newRound(Math.max(0, inService - 1));
  }

  return {
    cap,
    because,
    observe,
    snapshot: () => copy(state),
    restore: (saved) => {
      state = copy(saved as State);
    },
  };
}

function newRound(skip: number): Round {
  const none = () => ({ boots: 0, ns: 0, leastNs: 0 });
  const sums = { cpu: none(), latency: none(), idle: 0, samples: 0 };
  return { skip, boots: 0, mostInService: 0, ...sums };
}

function add(to: Compared, ns: number, leastNs: number): void {
  to.boots += 1;
  to.ns += ns;
  to.leastNs += leastNs;
}

/** 1 where nothing was measured. */
function ratio({ ns, leastNs }: Compared): number {
  return leastNs > 0 ? ns / leastNs : 1;
}

function perBoot({ boots, ns, leastNs }: Compared) {
  return { seenNs: ns / boots, leastNs: leastNs / boots };
}

function copy<T extends Json>(json: T): T {
  return JSON.parse(JSON.stringify(json));
}
