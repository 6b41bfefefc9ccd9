import { BOOTS_MAX, type CapRule, ORDER_FIELD } from "./boot-cap.ts";
import type { Filled } from "./option.ts";
import type { CapCause, Json, Sample } from "./policy.ts";

/** Limits of 20 and more, usual for requests, are of no use for boots: start low. */
export const LIMIT_FIELDS = {
  bootsStart: {
    type: "integer",
    min: 1,
    max: BOOTS_MAX,
    default: 4,
    title: "cap before anything was measured",
  },
  bootsMin: { type: "integer", min: 1, max: BOOTS_MAX, default: 1, title: "lowest cap" },
  bootsMax: { type: "integer", min: 1, max: BOOTS_MAX, default: 200, title: "highest cap" },
  order: ORDER_FIELD,
} as const;

const BACKOFF_FIELD = {
  type: "number",
  min: 0.1,
  max: 0.99,
  default: 0.9,
  title: "a cut multiplies the cap by this",
} as const;

export const AIMD_FIELDS = {
  ...LIMIT_FIELDS,
  bootTargetMs: {
    type: "integer",
    min: 1,
    max: 3_600_000,
    // What kata-containers gives a VM to answer (dial_timeout, 45 s). Netflix's 5 s are for requests:
    // an SNP boot takes longer than that alone, and no cap would ever be small enough.
    default: 45_000,
    title: "a boot in service longer than this many ms is late",
  },
  backoff: BACKOFF_FIELD,
} as const;

export const GRADIENT_FIELDS = {
  ...LIMIT_FIELDS,
  queue: {
    type: "integer",
    min: 1,
    max: 1000,
    // Netflix: 4 with a lowest limit of 20. The gradient is at least ½, so the cap never falls
    // below twice this.
    default: 1,
    title: "boots that may be added while boots are as fast as ever",
  },
  smoothing: {
    type: "number",
    min: 0.01,
    max: 1,
    default: 0.2,
    title: "weight of the newest estimate",
  },
  tolerance: {
    type: "number",
    min: 1,
    max: 10,
    default: 1.5,
    title: "boots may be this much slower than the average before the cap sinks",
  },
  longWindow: {
    type: "integer",
    min: 10,
    max: 100_000,
    default: 600,
    title: "boots over which the average reaches back",
  },
} as const;

export const DELAY_FIELDS = {
  ...LIMIT_FIELDS,
  queueTimeMs: {
    type: "number",
    min: 0.001,
    max: 60_000,
    default: 5, // CoDel's target (include/net/codel_impl.h).
    title: "ms of waiting in front of the bottleneck that are too many",
  },
  lockWaitShare: {
    type: "number",
    min: 0.01,
    max: 1,
    default: 0.2,
    title: "share of boot time waiting for locks that is too much",
  },
  intervalMs: {
    type: "integer",
    min: 1,
    max: 60_000,
    default: 100, // CoDel's interval.
    title: "ms of measurements behind each change; the smallest of them counts",
  },
  backoff: BACKOFF_FIELD,
} as const;

export type Limits = Pick<Filled<typeof LIMIT_FIELDS>, "bootsMin" | "bootsMax" | "bootsStart">;

/** Within `bootsMin` and `bootsMax`. */
export function clamp(limits: Limits, boots: number): number {
  return Math.max(limits.bootsMin, Math.min(limits.bootsMax, boots));
}

/** At least one less, at most the backoff. */
function cut(limits: Limits, backoff: number, cap: number): number {
  return clamp(limits, Math.min(cap - 1, Math.floor(cap * backoff)));
}

/**
 * Additive increase, multiplicative decrease: one more for a boot in time, a tenth less for one
 * that is late or has failed; no growth while less than half of the cap is used.
 * Source: AIMDLimit.java, Netflix/concurrency-limits@78a74b9.
 */
export function aimdCap(options: Filled<typeof AIMD_FIELDS>): CapRule {
  const limitNs = options.bootTargetMs * 1e6;
  let cap = clamp(options, options.bootsStart);
  let because: CapCause = { kind: "start" };

  function observe(sample: Sample, inService: number): void {
    if (sample.kind !== "boot-finished") return;
    const seen = sample.latencyNs;
    if (sample.failed || seen > limitNs) {
      cap = cut(options, options.backoff, cap);
      because = { kind: sample.failed ? "boot-failed" : "boot-time", seen, limit: limitNs };
    } else if (inService * 2 >= cap) {
      cap = clamp(options, cap + 1);
      because = { kind: "room", seen, limit: limitNs };
    }
  }

  return {
    cap: () => cap,
    because: () => because,
    observe,
    snapshot: () => ({ cap, because }),
    restore: (saved) => {
      ({ cap, because } = saved as { cap: number; because: CapCause });
    },
  };
}

/**
 * Compares each boot with the long-run average: as fast, room for `queue` more; slower, in
 * proportion less, by half at most. Failed boots say nothing about speed and count as half.
 * Source: Gradient2Limit.java and ExpAvgMeasurement.java, Netflix/concurrency-limits@78a74b9.
 */
export function gradientCap(options: Filled<typeof GRADIENT_FIELDS>): CapRule {
  const warmUp = 10; // ExpAvgMeasurement(longWindow, 10): a plain mean up to there.
  let estimate = clamp(options, options.bootsStart);
  let averageNs = 0;
  let count = 0;
  let because: CapCause = { kind: "start" };

  function observe(sample: Sample, inService: number): void {
    if (sample.kind !== "boot-finished") return;
    const ns = Math.max(1, sample.latencyNs);
    const long = sample.failed ? averageNs : longAverage(ns);
    // Back to normal after a long overload: do not wait for the average to come down.
    if (!sample.failed && long / ns > 2) averageNs *= 0.95;
    if (inService < estimate / 2) return;
    const gradient = sample.failed
      ? 0.5
      : Math.max(0.5, Math.min(1, (options.tolerance * long) / ns));
    const next = estimate * gradient + options.queue;
    const { smoothing } = options;
    estimate = clamp(options, estimate * (1 - smoothing) + next * smoothing);
    const limit = options.tolerance * long;
    const seen = sample.latencyNs;
    because = sample.failed
      ? { kind: "boot-failed", seen, limit }
      : { kind: gradient < 1 ? "boot-time" : "room", seen, limit };
  }

  function longAverage(ns: number): number {
    if (count < warmUp) {
      averageNs = (averageNs * count + ns) / (count + 1);
      count += 1;
    } else {
      const weight = 2 / (options.longWindow + 1);
      averageNs = averageNs * (1 - weight) + ns * weight;
    }
    return averageNs;
  }

  return {
    cap: () => Math.floor(estimate),
    because: () => because,
    observe,
    snapshot: () => ({ estimate, averageNs, count, because }),
    restore: (saved) => {
      ({ estimate, averageNs, count, because } = saved as {
        estimate: number;
        averageNs: number;
        count: number;
        because: CapCause;
      });
    },
  };
}

/** What one interval has seen. */
type Interval = {
  readonly startNs: number;
  readonly queueNs?: number;
  readonly lockShare?: number;
};

/**
 * Steers by the queue in front of the bottleneck, which shows within milliseconds what boot times
 * show only when the boots are over. As CoDel does it takes the smallest value of an interval: a
 * queue that is never short is a standing one. Over the limit: cut, unless more boots are in
 * service than the last cut allows. Below half of it and the cap in use: one more, but only after
 * a boot has ended since the last change, for a boot loads the bottleneck differently in each phase.
 * Source: CoDel (include/net/codel_impl.h) for target and interval; the rest is ours.
 */
export function delayCap(options: Filled<typeof DELAY_FIELDS>): CapRule {
  const queueLimitNs = options.queueTimeMs * 1e6;
  const intervalNs = options.intervalMs * 1e6;
  let cap = clamp(options, options.bootsStart);
  let because: CapCause = { kind: "start" };
  let interval: Interval | undefined;
  let endedSinceChange = 0;

  function observe(sample: Sample, inService: number, nowNs: number): void {
    if (sample.kind === "boot-finished") {
      endedSinceChange += 1;
      return;
    }
    if (sample.kind === "host-cpu") return;
    interval = including(interval ?? { startNs: nowNs }, sample);
    if (nowNs - interval.startNs < intervalNs) return;
    conclude(interval, inService);
    interval = undefined;
  }

  function conclude({ queueNs, lockShare }: Interval, inService: number): void {
    const queueLoad = (queueNs ?? 0) / queueLimitNs;
    const lockLoad = (lockShare ?? 0) / options.lockWaitShare;
    const worst: CapCause =
      lockLoad > queueLoad
        ? { kind: "lock-wait", seen: lockShare ?? 0, limit: options.lockWaitShare }
        : { kind: "queue-time", seen: queueNs ?? 0, limit: queueLimitNs };
    const load = Math.max(queueLoad, lockLoad);
    if (load > 1 && inService <= cap) change(cut(options, options.backoff, cap), worst);
    else if (load < 0.5 && inService >= cap && endedSinceChange > 0) {
      change(clamp(options, cap + 1), { ...worst, kind: "room" });
    }
  }

  function change(to: number, why: CapCause): void {
    cap = to;
    because = why;
    endedSinceChange = 0;
  }

  return {
    cap: () => cap,
    because: () => because,
    observe,
    snapshot: () => ({ cap, because, interval: interval ?? null, endedSinceChange }),
    restore: (json: Json) => {
      const saved = json as {
        cap: number;
        because: CapCause;
        interval: Interval | null;
        endedSinceChange: number;
      };
      ({ cap, because, endedSinceChange } = saved);
      interval = saved.interval ?? undefined;
    },
  };
}

function including(
  interval: Interval,
  sample: Extract<Sample, { kind: "queue-time" | "lock-wait" }>,
): Interval {
  return sample.kind === "queue-time"
    ? { ...interval, queueNs: Math.min(interval.queueNs ?? Infinity, sample.waitNs) }
    : { ...interval, lockShare: Math.min(interval.lockShare ?? Infinity, sample.share) };
}
