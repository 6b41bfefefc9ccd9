/**
 * What queueing theory says of N tasks that do M pages each: Z outside the lock, S under it. The
 * bounds stand beside a simulation's answer; none of them is derived from it. Times in any one unit.
 */
export interface ClosedStorm {
  readonly tasks: number;
  readonly pages: number;
  readonly holdNs: number;
  readonly thinkNs: number;
}

/** N* = (S + Z)/S: above it tasks wait for each other. */
export function saturationPoint({ holdNs, thinkNs }: ClosedStorm): number {
  return (holdNs + thinkNs) / holdNs;
}

/** Pages per ns, at most: the lock's rate, and that of tasks that never wait. */
export function asymptoticRate({ tasks, holdNs, thinkNs }: ClosedStorm): number {
  return Math.min(1 / holdNs, tasks / (holdNs + thinkNs));
}

/** Pages per ns when all arrive at the lock at once, each time: Amdahl's law, the worst case. */
export function amdahlRate({ tasks, holdNs, thinkNs }: ClosedStorm): number {
  return tasks / (thinkNs + tasks * holdNs);
}

/**
 * Task i (in order of arrival) of a deterministic storm that starts at once is done at
 * Z + (i+1)·S + (M−1)·max(N·S, S+Z).
 */
export function deterministicDoneNs(storm: ClosedStorm, i: number): number {
  const { tasks, pages, holdNs, thinkNs } = storm;
  const cycle = Math.max(tasks * holdNs, holdNs + thinkNs);
  return thinkNs + (i + 1) * holdNs + (pages - 1) * cycle;
}

/** All tasks' waits of that storm, summed. */
export function deterministicWaitNs({ tasks, pages, holdNs, thinkNs }: ClosedStorm): number {
  const each = Math.max(0, tasks * holdNs - holdNs - thinkNs);
  return (holdNs * tasks * (tasks - 1)) / 2 + (pages - 1) * tasks * each;
}

/**
 * Pages per ns in the steady state, exponential holds, any distribution of Z: exact mean value
 * analysis. Source: Reiser and Lavenberg, JACM 27(2), 1980.
 */
export function mvaRate({ tasks, holdNs, thinkNs }: ClosedStorm): number {
  let queue = 0;
  let rate = 0;
  for (let n = 1; n <= tasks; n += 1) {
    const response = holdNs * (1 + queue);
    rate = n / (response + thinkNs);
    queue = rate * response;
  }
  return rate;
}

/** The same by another route, the machine repairman's birth and death process. */
export function repairmanRate({ tasks, holdNs, thinkNs }: ClosedStorm): number {
  // Terms N!/(N−k)!·(S/Z)^k, scaled by the largest so that they stay finite.
  const terms = [1];
  for (let k = 1; k <= tasks; k += 1) {
    terms.push(terms[k - 1]! * (tasks - k + 1) * (holdNs / thinkNs));
  }
  const sum = terms.reduce((a, b) => a + b, 0);
  return (1 - 1 / sum) / holdNs;
}

/** One boot against B threads that call without a pause: its time per page, S·(⌈Z/S⌉ + B). */
export function backgroundPageNs(holdNs: number, thinkNs: number, threads: number): number {
  return holdNs * (Math.ceil(thinkNs / holdNs) + threads);
}

/** At most `cap` boots at once, each next one starting when one ends; cap divides N. */
export function cappedStorm(storm: ClosedStorm, cap: number): { meanNs: number; lastNs: number } {
  const cycle = Math.max(cap * storm.holdNs, storm.holdNs + storm.thinkNs);
  const waves = storm.tasks / cap;
  return {
    meanNs: (storm.pages * cycle * (waves + 1)) / 2,
    lastNs: storm.pages * cycle * waves,
  };
}
