// Where the time of a boot goes, and which part of it grows with the number of VMs.
import type { BootRecord, BootRound } from "../event/boot.ts";
import { type Estimate, resampled } from "../stats/resample.ts";
import { type RoundWaits, vcpuThreads } from "./boot-locks.ts";
import { isReady, mostAlike, serviceNs } from "./boot-phases.ts";
import {
  type BootSetting,
  bySetting,
  type SettingGroup,
  seriesKey,
  settingKey,
} from "./boot-setting.ts";

/**
 * Parts of the time in service. They do not overlap and add up to it.
 * `locks`: waits for kernel locks that the boot sat through (see boot-locks.ts). `cpu-wait`: its vCPU
 * threads could run and had no CPU. `cpu-work`: they ran, without spinning for a lock of the host's
 * kernel; what the guest's own kernel spins for is in it. `vmm-setup`: from admitted until the vCPUs
 * run. `rest`: all else, such as sleeping for input and output, or for other threads of the VMM.
 * Of several vCPUs it is their mean.
 */
export const BOOT_PARTS = ["locks", "cpu-wait", "cpu-work", "vmm-setup", "rest"] as const;

export type BootPart = (typeof BOOT_PARTS)[number];

/**
 * The mean boot of one setting, part by part. A part that was not recorded is absent, not 0; its time
 * is in the rest, that of `locks` in the parts it would have been taken from.
 */
export interface BootMakeup extends BootSetting {
  /** Boots of which the same is known as of most; others are left out. */
  readonly boots: number;
  readonly meanMs: number;
  readonly partsMs: Readonly<Partial<Record<BootPart, number>>>;
}

/** Why boots take longer here than with the fewest VMs, all else alike. */
export interface BootBlame extends BootSetting {
  readonly againstVms: number;
  /** Mean time in service here, minus that with the fewest VMs. */
  readonly slowdownMs: Estimate;
  /** They add up to slowdownMs. Only parts that are known of both. */
  readonly partsMs: Readonly<Partial<Record<BootPart, Estimate>>>;
  /** Parts divided by the slowdown; absent where that is not clearly above 0. */
  readonly shares?: Readonly<Partial<Record<BootPart, number>>>;
  /** The part `locks`, by what it was taken from; absent as it is. */
  readonly locks?: LockParts;
}

export interface LockParts {
  /** Spinning of vCPU threads, out of `cpu-work`. */
  readonly spinMs: number;
  /** Sleeping of vCPU threads, out of `rest`. */
  readonly sleepMs: number;
  /** Of the VMM's first thread, out of `vmm-setup`. */
  readonly setupMs: number;
}

/** @returns one for each setting with boots of which more than the whole is known */
export function bootMakeups(
  rounds: readonly BootRound[],
  recorded: readonly SettingGroup<RoundWaits>[],
): BootMakeup[] {
  return knownPoints(rounds, recorded).map((point) => {
    const means = meansOf(point, point.known, point.locks.length > 0, all(point));
    return {
      ...point.setting,
      boots: point.rounds.reduce((sum, { boots }) => sum + boots, 0),
      meanMs: means.serviceNs / 1e6,
      partsMs: recordOf(partsOf(means), ([part, ns]) => [part, ns / 1e6]),
    };
  });
}

/** @returns one for each of these settings but those with the fewest VMs of their series */
export function bootBlame(
  rounds: readonly BootRound[],
  recorded: readonly SettingGroup<RoundWaits>[],
  seed: number,
): BootBlame[] {
  const points = knownPoints(rounds, recorded);
  return points.flatMap((point) => {
    const first = points.find(({ setting }) => seriesKey(setting) === seriesKey(point.setting))!;
    return first === point ? [] : [blameOf(first, point, seed)];
  });
}

function blameOf(first: Point, point: Point, seed: number): BootBlame {
  const known = point.known.filter((quantity) => first.known.includes(quantity));
  const locksKnown = first.locks.length > 0 && point.locks.length > 0;
  const growth = (drawnFirst: Drawn, drawn: Drawn) => {
    const before = meansOf(first, known, locksKnown, drawnFirst);
    const after = meansOf(point, known, locksKnown, drawn);
    const base = partsOf(before);
    return {
      slowdownNs: after.serviceNs - before.serviceNs,
      parts: partsOf(after).map(([part, ns], i) => [part, ns - base[i]![1]] as const),
      before,
      after,
    };
  };
  const sizes = [first.rounds, point.rounds, first.locks, point.locks].map(({ length }) => length);
  const [slowdown, ...estimates] = resampled(
    sizes,
    ([roundsFirst, rounds, locksFirst, locks]) => {
      const { slowdownNs, parts } = growth(
        { rounds: roundsFirst!, locks: locksFirst! },
        { rounds: rounds!, locks: locks! },
      );
      return [slowdownNs / 1e6, ...parts.map(([, ns]) => ns / 1e6)];
    },
    seed,
  );
  const { parts, before, after } = growth(all(first), all(point));
  const slowdownMs = slowdown!;
  return {
    ...point.setting,
    againstVms: first.setting.vms,
    slowdownMs,
    partsMs: recordOf(parts, ([part], i) => [part, estimates[i]!]),
    ...(slowdownMs.low > 0
      ? { shares: recordOf(parts, ([part], i) => [part, estimates[i]!.value / slowdownMs.value]) }
      : {}),
    ...(locksKnown
      ? {
          locks: {
            spinMs: (after.spinNs - before.spinNs) / 1e6,
            sleepMs: (after.sleepNs - before.sleepNs) / 1e6,
            setupMs: (after.setupWaitNs - before.setupWaitNs) / 1e6,
          },
        }
      : {}),
  };
}

/** What may be known of a boot, beside its whole. */
const QUANTITIES = ["workNs", "waitNs", "setupNs"] as const;

type Quantity = (typeof QUANTITIES)[number];

/** Sums over the boots of one round, in ns. */
interface RoundSums extends Readonly<Record<Quantity, number>> {
  readonly boots: number;
  readonly serviceNs: number;
}

interface Point {
  readonly setting: BootSetting;
  readonly known: readonly Quantity[];
  readonly rounds: readonly RoundSums[];
  /** Rounds with a trace, and boots whose vCPU threads are known. */
  readonly locks: readonly RoundWaits[];
}

function knownPoints(
  rounds: readonly BootRound[],
  recorded: readonly SettingGroup<RoundWaits>[],
): Point[] {
  const measured = rounds.filter(({ role }) => role === "measured");
  return bySetting(measured).flatMap((group) => {
    const ready = group.rounds.flatMap((round) =>
      round.boots.filter(isReady).map((boot) => ({ round, parts: quantitiesOf(boot) })),
    );
    const alike = mostAlike(ready, ({ parts }) => knownOf(parts).join(" "));
    const known = alike.length === 0 ? [] : knownOf(alike[0]!.parts);
    if (known.length === 0) return [];
    const sums = group.rounds.map((round) =>
      sumOf(alike.filter((each) => each.round === round).map(({ parts }) => parts)),
    );
    const waits = recorded.find(
      ({ setting }) => settingKey(setting) === settingKey(group.setting),
    )?.rounds;
    return [
      {
        setting: group.setting,
        known,
        rounds: sums.filter(({ boots }) => boots > 0),
        locks: (waits ?? []).filter(({ timedBoots }) => timedBoots > 0),
      },
    ];
  });
}

type BootQuantities = Readonly<Record<Quantity, number | undefined>> & {
  readonly serviceNs: number;
};

function quantitiesOf(boot: BootRecord): BootQuantities {
  const { admitted, resumed } = boot.seen;
  const vcpus = vcpuThreads(boot).length;
  const ofOne = (ns: number | undefined) =>
    ns === undefined || vcpus === 0 ? undefined : ns / vcpus;
  return {
    serviceNs: serviceNs(boot),
    workNs: ofOne(boot.vcpuCpuNs),
    waitNs: ofOne(boot.vcpuRunDelayNs),
    setupNs: resumed === undefined ? undefined : resumed.atNs - admitted!.atNs,
  };
}

function knownOf(parts: BootQuantities): Quantity[] {
  return QUANTITIES.filter((quantity) => parts[quantity] !== undefined);
}

function sumOf(boots: readonly BootQuantities[]): RoundSums {
  const total = (quantity: Quantity | "serviceNs") =>
    boots.reduce((sum, boot) => sum + (boot[quantity] ?? 0), 0);
  return {
    boots: boots.length,
    serviceNs: total("serviceNs"),
    workNs: total("workNs"),
    waitNs: total("waitNs"),
    setupNs: total("setupNs"),
  };
}

/** Which rounds of a point count, as often as they are listed. */
interface Drawn {
  readonly rounds: Int32Array;
  readonly locks: Int32Array;
}

function all({ rounds, locks }: Point): Drawn {
  return {
    rounds: Int32Array.from(rounds, (_, i) => i),
    locks: Int32Array.from(locks, (_, i) => i),
  };
}

/** Of one boot; undefined is not known. */
interface Means {
  readonly serviceNs: number;
  readonly workNs: number | undefined;
  readonly waitNs: number | undefined;
  readonly setupNs: number | undefined;
  readonly locksKnown: boolean;
  readonly spinNs: number;
  readonly sleepNs: number;
  readonly setupWaitNs: number;
}

function meansOf(
  { rounds, locks }: Point,
  known: readonly Quantity[],
  locksKnown: boolean,
  drawn: Drawn,
): Means {
  const [ofBoots, ofLocks] = [drawn.rounds, drawn.locks];
  const total = (of: (sums: RoundSums) => number) =>
    ofBoots.reduce((sum, i) => sum + of(rounds[i]!), 0);
  const boots = total((sums) => sums.boots);
  const mean = (quantity: Quantity) =>
    known.includes(quantity) ? total((sums) => sums[quantity]) / boots : undefined;
  const timed = ofLocks.reduce((sum, i) => sum + locks[i]!.timedBoots, 0);
  const waited = (how: keyof RoundWaits["time"]) =>
    locksKnown ? ofLocks.reduce((sum, i) => sum + locks[i]!.time[how], 0) / timed : 0;
  return {
    serviceNs: total((sums) => sums.serviceNs) / boots,
    workNs: mean("workNs"),
    waitNs: mean("waitNs"),
    setupNs: mean("setupNs"),
    locksKnown,
    spinNs: waited("spinNs"),
    sleepNs: waited("sleepNs"),
    setupWaitNs: waited("setupNs"),
  };
}

/** What is known, and last the rest, so that all add up to the whole. */
function partsOf(means: Means): (readonly [BootPart, number])[] {
  const { serviceNs, workNs, waitNs, setupNs, locksKnown, spinNs, sleepNs, setupWaitNs } = means;
  const known: (readonly [BootPart, number])[] = [
    ...(locksKnown ? [["locks", spinNs + sleepNs + setupWaitNs] as const] : []),
    ...(waitNs === undefined ? [] : [["cpu-wait", waitNs] as const]),
    ...(workNs === undefined ? [] : [["cpu-work", workNs - spinNs] as const]),
    ...(setupNs === undefined ? [] : [["vmm-setup", setupNs - setupWaitNs] as const]),
  ];
  return [...known, ["rest", known.reduce((left, [, ns]) => left - ns, serviceNs)]];
}

function recordOf<T, Value>(
  items: readonly T[],
  entryOf: (item: T, index: number) => readonly [BootPart, Value],
): Partial<Record<BootPart, Value>> {
  return Object.fromEntries(items.map(entryOf)) as Partial<Record<BootPart, Value>>;
}
