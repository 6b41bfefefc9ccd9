/**
 * The control law of quotas on running guests. A guest whose measured rate is above its quota may run
 * for a smaller share of the time, one that is below it again for a larger one; who was never above
 * is never touched. It knows no clock, no unit and no host: rate and quota are of one unit.
 *
 * After QEMU's dirty limit (softmmu/dirtylimit.c, QEMU 7.2), which looks once a second, steps in
 * proportion when the error is above one half and by a small step below, and leaves alone what is
 * within a tolerance. It lengthens a pause x, counted in times of running: the share is 1/(1+x). It
 * adds the same to x wherever x is; here both steps are relative to the share, so that the number of
 * rounds does not grow with the pause.
 */
export interface QuotaRules {
  /** Rate at most. Above 0. */
  readonly quota: number;
  /** Share of the time that even the worst may run: nobody is stopped. */
  readonly runShareMin: number;
}

/** Of a guest that nobody slows. */
export const RUN_FREELY = 1;

/**
 * An error of this share of the quota is none. QEMU: 25 MB/s, for quotas in the hundreds. With steps
 * of a tenth it cannot be stepped over: it is 0.2 quotas wide, and no small step is as long.
 */
export const QUOTA_TOLERANCE = 0.1;

/** DIRTYLIMIT_LINEAR_ADJUSTMENT_PCT: relative to the larger of both, above which steps are in proportion. */
const LARGE_ERROR = 0.5;

const SMALL_STEP = 1.1;

/** Who rests for one round is not let go at once, only to begin again. */
const RELEASE_MAX = 2;

/**
 * @param runShare  of the round that has passed: RUN_FREELY at first, then what this gave
 * @param rate  measured in that round, at least 0
 * @returns share of the time that the guest may run in the next round: runShareMin to 1
 */
export function nextRunShare(runShare: number, rate: number, rules: QuotaRules): number {
  const { quota, runShareMin } = rules;
  const error = rate - quota;
  if (Math.abs(error) <= QUOTA_TOLERANCE * quota) return runShare;
  const isLarge = Math.abs(error) > LARGE_ERROR * Math.max(quota, rate);
  const factor = error > 0 ? quota / rate : RELEASE_MAX;
  const smallFactor = error > 0 ? 1 / SMALL_STEP : SMALL_STEP;
  return clamp(runShare * (isLarge ? factor : smallFactor), runShareMin, 1);
}

/** How long a guest runs and then rests, in turn. */
export interface RunSlices {
  readonly runNs: number;
  readonly pauseNs: number;
}

/**
 * A guest may have its interrupts off when it is paused, and its watchdogs complain after 20 s, so no
 * pause is to be longer than 100 ms. A fifth of that is left for timers that are late.
 */
export const PERIOD_NS = 80_000_000;

export function slicesOf(runShare: number): RunSlices {
  const runNs = Math.round(PERIOD_NS * runShare);
  return { runNs, pauseNs: PERIOD_NS - runNs };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
