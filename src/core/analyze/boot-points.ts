import type { Accelerator, BootRecord, BootRound, Outcome } from "../event/boot.ts";
import { type Distribution, distributionOf } from "../stats/distribution.ts";
import { distributionOfRounds, type RoundDistribution } from "../stats/round-distribution.ts";
import {
  isReady,
  milestonesInOrder,
  mostAlike,
  phasesOf,
  serviceNs,
  sinceRequestNs,
} from "./boot-phases.ts";
import { type BootSetting, bySetting } from "./boot-setting.ts";

/** All measured rounds of one setting. Times are of boots that got ready, and of no others. */
export interface BootPoint extends BootSetting {
  readonly rounds: number;
  /** VMs asked for in these rounds, and how many of them did not get ready. */
  readonly boots: number;
  readonly failed: number;
  readonly failures: Readonly<Partial<Record<Outcome, number>>>;
  readonly accelerators: readonly Accelerator[];
  /** True when the VMs of each round were asked for together, within 1 % of the round. */
  readonly atOnce: boolean;
  /** From admitted to ready. Absent, as all that follows, when no VM got ready. */
  readonly readyMs?: RoundDistribution;
  /** From requested to ready. */
  readonly sinceRequestMs?: RoundDistribution;
  /** From the first request to the last ready, median of the rounds in which all VMs got ready. */
  readonly makespanMs?: number;
  readonly makespanMsByRound?: Distribution;
  /** CPU time of a VM's VMM until ready; of boots where it could be read. */
  readonly cpuMs?: RoundDistribution;
  readonly memoryBytes?: RoundDistribution;
  /** Median of each phase (see boot-phases.ts), over the boots that passed the same milestones as
   * most did. Medians do not add up to the median of the whole. */
  readonly phasesMs: Readonly<Record<string, number>>;
  readonly phasesOfBoots: number;
  readonly load: PointLoad;
}

/** What else the host did, means of the rounds. */
export interface PointLoad {
  readonly cpuBusyShare: number;
  /** CPUs that others than the round's VMs kept busy. */
  readonly otherCpus: number;
  /** CPU time of others divided by that of the VMs; absent when the VMs' is not known. */
  readonly otherShare?: number;
  readonly cpuPressureShare?: number;
  /** The least of all rounds. */
  readonly memAvailableBytesLow: number;
}

/**
 * @param rounds  of any role; only measured ones count
 * @returns in the order of `bySetting`
 */
export function bootPoints(rounds: readonly BootRound[], seed: number): BootPoint[] {
  const measured = rounds.filter(({ role }) => role === "measured");
  return bySetting(measured).map((group) => pointOf(group.setting, group.rounds, seed));
}

/** VMs of a round that got ready. */
export function readyBoots({ boots }: BootRound): readonly BootRecord[] {
  return boots.filter(isReady);
}

/** True when no VM of the round failed: only then it has a makespan. */
export function isComplete({ boots }: BootRound): boolean {
  return boots.every(isReady);
}

/** From the first request to the last ready. @param round  a complete one */
export function makespanNs({ boots }: BootRound): number {
  const requests = boots.map(({ seen }) => seen.requested!.atNs);
  const ends = boots.map(({ seen }) => seen.ready!.atNs);
  return Math.max(...ends) - Math.min(...requests);
}

function pointOf(setting: BootSetting, rounds: readonly BootRound[], seed: number): BootPoint {
  const boots = rounds.flatMap((round) => round.boots);
  const makespans = rounds.filter(isComplete).map((round) => makespanNs(round) / 1e6);
  const distribution = (quantity: (boot: BootRecord) => number | undefined) =>
    overRounds(rounds, quantity, seed);
  return {
    ...setting,
    rounds: rounds.length,
    boots: boots.length,
    failed: boots.filter((boot) => !isReady(boot)).length,
    failures: countFailures(boots),
    accelerators: [...new Set(boots.map(({ accelerator }) => accelerator))].sort(),
    atOnce: rounds.every(isAtOnce),
    ...known(
      "readyMs",
      distribution((boot) => serviceNs(boot) / 1e6),
    ),
    ...known(
      "sinceRequestMs",
      distribution((boot) => sinceRequestNs(boot) / 1e6),
    ),
    ...(makespans.length === 0 ? {} : makespansOf(makespans)),
    ...known(
      "cpuMs",
      distribution(({ cpuNs }) => (cpuNs === undefined ? undefined : cpuNs / 1e6)),
    ),
    ...known(
      "memoryBytes",
      distribution(({ memoryBytes }) => memoryBytes),
    ),
    ...phaseMedians(boots.filter(isReady)),
    load: loadOf(rounds),
  };
}

/** Of the VMs that got ready and have the value; absent when there is none. */
function overRounds(
  rounds: readonly BootRound[],
  quantity: (boot: BootRecord) => number | undefined,
  seed: number,
): RoundDistribution | undefined {
  const values = rounds
    .map((round) => readyBoots(round).flatMap((boot) => quantity(boot) ?? []))
    .filter((ofRound) => ofRound.length > 0);
  return values.length === 0 ? undefined : distributionOfRounds(values, seed);
}

function makespansOf(makespans: readonly number[]) {
  const makespanMsByRound = distributionOf(makespans);
  return { makespanMs: makespanMsByRound.median, makespanMsByRound };
}

function countFailures(boots: readonly BootRecord[]): BootPoint["failures"] {
  const failures: Partial<Record<Outcome, number>> = {};
  for (const { outcome } of boots) {
    if (outcome !== "ready") failures[outcome] = (failures[outcome] ?? 0) + 1;
  }
  return failures;
}

function isAtOnce({ boots, spanNs }: BootRound): boolean {
  const requests = boots.flatMap(({ seen }) => seen.requested?.atNs ?? []);
  return requests.length < 2 || Math.max(...requests) - Math.min(...requests) <= spanNs / 100;
}

function phaseMedians(ready: readonly BootRecord[]) {
  const alike = mostAlike(ready, (boot) => milestonesInOrder(boot).join(" "));
  const lengths = new Map<string, number[]>();
  for (const { name, fromNs, toNs } of alike.flatMap(phasesOf)) {
    const ofPhase = lengths.get(name);
    const ms = (toNs - fromNs) / 1e6;
    if (ofPhase === undefined) lengths.set(name, [ms]);
    else ofPhase.push(ms);
  }
  return {
    phasesMs: Object.fromEntries(
      Array.from(lengths, ([name, values]) => [name, distributionOf(values).median]),
    ),
    phasesOfBoots: alike.length,
  };
}

function loadOf(rounds: readonly BootRound[]): PointLoad {
  const sum = (of: (round: BootRound) => number) =>
    rounds.reduce((total, round) => total + of(round), 0);
  const pressures = rounds.flatMap(({ load }) => load.cpuPressureShare ?? []);
  const boots = rounds.flatMap((round) => round.boots);
  const ownNs = boots.reduce((total, { cpuNs }) => total + (cpuNs ?? 0), 0);
  const isKnown = ownNs > 0 && boots.every(({ cpuNs }) => cpuNs !== undefined);
  const otherNs = sum(({ load }) => load.otherCpuNs);
  return {
    cpuBusyShare: sum(({ load }) => load.cpuBusyShare) / rounds.length,
    otherCpus: otherNs / sum(({ spanNs }) => Math.max(1, spanNs)),
    ...(isKnown ? { otherShare: otherNs / ownNs } : {}),
    ...(pressures.length === 0
      ? {}
      : { cpuPressureShare: pressures.reduce((a, b) => a + b) / pressures.length }),
    memAvailableBytesLow: Math.min(...rounds.map(({ load }) => load.memAvailableBytesLow)),
  };
}

/** A property that is there only if its value is. */
function known<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };
}
