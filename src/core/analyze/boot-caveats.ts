// What to doubt in the numbers of a storm, and what was not seen of it.
import type { Accelerator, BootRound } from "../event/boot.ts";
import { type Ratio, ratioOfMedians } from "../stats/bootstrap.ts";
import { distributionOf } from "../stats/distribution.ts";
import type { BootChange } from "./boot-changes.ts";
import type { BootLockPoint, RoundTrace } from "./boot-locks.ts";
import { isOutOfOrder, serviceNs } from "./boot-phases.ts";
import { type BootPoint, readyBoots } from "./boot-points.ts";
import { type BootSetting, bySetting, mainSeries, settingKey, settingOf } from "./boot-setting.ts";

/**
 * `emulated`: QEMU ran the guests itself. `several-accelerators`: some VMs ran one way, some another.
 * `few-rounds`: too few for a 95 % interval. `failed-beside`: rounds in which VMs failed, so that the
 * others had less company. `none-ready`: no VM got ready there. `other-load`: the host did much else.
 * `no-cpu-times`: how long vCPUs ran and waited was not read. `no-run-delay`: only how long they ran.
 * `locks-not-recorded`: no round has a trace. `locks-not-compared`: lock waits of the fewest VMs are
 * not known. `vcpus-unknown`: threads have no names to tell vCPUs by. `events-lost`: by the kernel,
 * in all traces. `recorder-held-up`: the recorder's own part of the waits. `recorder-price`: recorded
 * rounds were slower. `out-of-order`: milestones told in no possible order, and not used.
 * `pairs-left-out`: rounds that could not be compared. `consoles-cut`: not all that guests wrote is on
 * disk; `why` is the first reason. `rejected`: lines of the file that were none.
 */
export type BootCaveat =
  | { readonly kind: "emulated" }
  | { readonly kind: "several-accelerators"; readonly accelerators: readonly Accelerator[] }
  | { readonly kind: "few-rounds"; readonly rounds: number }
  | { readonly kind: "failed-beside"; readonly rounds: number; readonly ofRounds: number }
  | { readonly kind: "none-ready"; readonly settings: readonly BootSetting[] }
  | { readonly kind: "other-load"; readonly worst: BootSetting; readonly share: number }
  | { readonly kind: "no-cpu-times" | "no-run-delay" }
  | { readonly kind: "locks-not-recorded" | "locks-not-compared" | "vcpus-unknown" }
  | { readonly kind: "events-lost"; readonly lost: number; readonly events: number }
  | { readonly kind: "recorder-held-up"; readonly worst: BootSetting; readonly share: number }
  | { readonly kind: "recorder-price"; readonly ratio: Ratio }
  | { readonly kind: "out-of-order"; readonly boots: number }
  | { readonly kind: "pairs-left-out"; readonly pairs: number }
  | { readonly kind: "consoles-cut"; readonly boots: number; readonly why: string }
  | { readonly kind: "rejected"; readonly lines: number };

export interface CaveatEvidence {
  readonly rounds: readonly BootRound[];
  readonly traces: readonly RoundTrace[];
  readonly points: readonly BootPoint[];
  readonly locks: readonly BootLockPoint[];
  readonly changes: readonly BootChange[];
  readonly rejectedLines: number;
  readonly seed: number;
}

/** Below it a median has no 95 % interval (see stats/distribution.ts). */
const ROUNDS_FEW = 6;
/** Less of the VMs' CPU time is not worth a reader's time; as for the recorder's part of waits. */
const OTHER_SHARE_FROM = 0.1;
const OBSERVER_SHARE_FROM = 0.01;

/** The gravest first. */
export function bootCaveats(evidence: CaveatEvidence): BootCaveat[] {
  const { points, changes, rounds, rejectedLines } = evidence;
  const least = Math.min(...points.map((point) => point.rounds));
  const pairs = changes.reduce((sum, { pairsLeftOut }) => sum + pairsLeftOut, 0);
  const outOfOrder = rounds.flatMap(({ boots }) => boots.filter(isOutOfOrder)).length;
  return [
    ...acceleratorCaveats(points),
    ...failureCaveats(evidence),
    ...(least < ROUNDS_FEW ? [{ kind: "few-rounds", rounds: least } as const] : []),
    ...otherLoadCaveats(points),
    ...cpuTimeCaveats(evidence),
    ...lockCaveats(evidence),
    ...(pairs > 0 ? [{ kind: "pairs-left-out", pairs } as const] : []),
    ...(outOfOrder > 0 ? [{ kind: "out-of-order", boots: outOfOrder } as const] : []),
    ...consoleCaveats(rounds),
    ...(rejectedLines > 0 ? [{ kind: "rejected", lines: rejectedLines } as const] : []),
  ];
}

function acceleratorCaveats(points: readonly BootPoint[]): BootCaveat[] {
  const accelerators = [...new Set(points.flatMap((point) => point.accelerators))].sort();
  return [
    ...(accelerators.includes("tcg") ? [{ kind: "emulated" } as const] : []),
    // Confidential VMs and plain ones beside them are meant to differ.
    ...(points.some((point) => point.accelerators.length > 1)
      ? [{ kind: "several-accelerators", accelerators } as const]
      : []),
  ];
}

function failureCaveats({ points, rounds }: CaveatEvidence): BootCaveat[] {
  const measured = rounds.filter(({ role }) => role === "measured");
  const failed = measured.filter(({ boots }) => boots.some(({ outcome }) => outcome !== "ready"));
  const none = points.filter(({ readyMs }) => readyMs === undefined);
  return [
    ...(none.length > 0
      ? [{ kind: "none-ready", settings: none.map((point) => settingOf(point)) } as const]
      : []),
    ...(failed.length > 0
      ? [{ kind: "failed-beside", rounds: failed.length, ofRounds: measured.length } as const]
      : []),
  ];
}

function otherLoadCaveats(points: readonly BootPoint[]): BootCaveat[] {
  const [worst] = [...points].sort((a, b) => (b.load.otherShare ?? 0) - (a.load.otherShare ?? 0));
  const share = worst?.load.otherShare ?? 0;
  if (worst === undefined || share < OTHER_SHARE_FROM) return [];
  return [{ kind: "other-load", worst: settingOf(worst), share }];
}

function consoleCaveats(rounds: readonly BootRound[]): BootCaveat[] {
  const reasons = rounds.flatMap(({ boots }) =>
    boots.flatMap((boot) => boot.console?.lostBecause ?? []),
  );
  const [why] = reasons;
  return why === undefined ? [] : [{ kind: "consoles-cut", boots: reasons.length, why }];
}

function cpuTimeCaveats({ rounds }: CaveatEvidence): BootCaveat[] {
  const ready = rounds.flatMap(readyBoots);
  if (ready.length === 0) return [];
  if (ready.every(({ vcpuCpuNs }) => vcpuCpuNs === undefined)) return [{ kind: "no-cpu-times" }];
  const noDelay = ready.every(({ vcpuRunDelayNs }) => vcpuRunDelayNs === undefined);
  return noDelay ? [{ kind: "no-run-delay" }] : [];
}

function lockCaveats({ rounds, traces, points, locks, seed }: CaveatEvidence): BootCaveat[] {
  if (locks.length === 0) return [{ kind: "locks-not-recorded" }];
  const first = mainSeries(points)[0];
  const isCompared = locks.some((each) => first && settingKey(each) === settingKey(first));
  const ready = traces.flatMap(({ round }) => readyBoots(rounds[round]!));
  const lost = traces.reduce((sum, { trace }) => sum + trace.meta.lost, 0);
  const events = traces.reduce((sum, { trace }) => sum + trace.meta.events, 0);
  return [
    ...(isCompared ? [] : [{ kind: "locks-not-compared" } as const]),
    ...(ready.every(({ threads }) => threads === undefined)
      ? [{ kind: "vcpus-unknown" } as const]
      : []),
    ...(lost > 0 ? [{ kind: "events-lost", lost, events } as const] : []),
    ...observerCaveats(locks),
    ...priceCaveats(rounds, seed),
  ];
}

function observerCaveats(points: readonly BootLockPoint[]): BootCaveat[] {
  const shares = points.map((point) => {
    const waitMs = point.locks.reduce((sum, lock) => sum + lock.waitMs, 0);
    const observerMs = point.locks.reduce((sum, lock) => sum + lock.observerMs, 0);
    return { worst: settingOf(point), share: waitMs === 0 ? 0 : observerMs / waitMs };
  });
  const most = shares.reduce((a, b) => (b.share > a.share ? b : a));
  return most.share < OBSERVER_SHARE_FROM ? [] : [{ kind: "recorder-held-up", ...most }];
}

/** Rounds that only served the recording: the median of each, against those measured alike. */
function priceCaveats(rounds: readonly BootRound[], seed: number): BootCaveat[] {
  const slower = bySetting(rounds).flatMap(({ rounds: all }) => {
    const medians = (role: BootRound["role"]) =>
      all
        .filter((round) => round.role === role && readyBoots(round).length > 0)
        .map((round) => distributionOf(readyBoots(round).map(serviceNs)).median);
    const measured = medians("measured");
    if (measured.length === 0) return [];
    const usual = Math.max(1, distributionOf(measured).median);
    return medians("recorded").map((median) => Math.max(1, median) / usual);
  });
  if (slower.length < 2) return [];
  const ratio = ratioOfMedians(slower, [1], seed);
  return ratio.low > 1 ? [{ kind: "recorder-price", ratio }] : [];
}
