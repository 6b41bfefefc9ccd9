import type { BootRound } from "../event/boot.ts";
import { distributionOf } from "../stats/distribution.ts";
import { fitGrowth, type GrowthFit } from "../stats/growth-fit.ts";
import type { Estimate } from "../stats/resample.ts";
import { sinceRequestNs } from "./boot-phases.ts";
import { readyBoots } from "./boot-points.ts";
import { type BootSetting, bySetting, seriesKey } from "./boot-setting.ts";

/** How the boot time since the request grows with the number of VMs, all else alike. */
export interface BootCurve extends Omit<BootSetting, "vms"> {
  /** Ascending. */
  readonly vms: readonly number[];
  readonly line: BootLine;
  /** Absent below three numbers of VMs, or four rounds. */
  readonly knee?: BootKnee;
  readonly better: GrowthFit["better"];
  /** BIC of the line minus that of the knee: positive speaks for the knee, and from 2 on clearly. */
  readonly bicGain?: number;
  /** Where the better fit is furthest from the measured median, and by how much of it. */
  readonly worst: { readonly vms: number; readonly share: number };
}

export interface BootLine {
  /** At the fewest VMs. */
  readonly baseMs: Estimate;
  readonly slopeMsPerVm: Estimate;
}

/** Flat at `baseMs` up to `kneeVms`, a line from there. */
export interface BootKnee extends BootLine {
  readonly kneeVms: Estimate;
}

/**
 * A sample is the median of one round's boots; rounds in which none got ready have none.
 * @returns one for each series with enough of them, in the order of `bySetting`
 */
export function bootCurves(rounds: readonly BootRound[], seed: number): BootCurve[] {
  const measured = rounds.filter(({ role }) => role === "measured");
  const series = new Map<string, (readonly BootRound[])[]>();
  for (const group of bySetting(measured)) {
    const key = seriesKey(group.setting);
    series.set(key, [...(series.get(key) ?? []), group.rounds]);
  }
  return [...series.values()].flatMap((of) => curveOf(of.flat(), seed) ?? []);
}

function curveOf(rounds: readonly BootRound[], seed: number): BootCurve | undefined {
  const samples = rounds.flatMap((round) => {
    const times = readyBoots(round).map(sinceRequestNs);
    return times.length === 0 ? [] : [{ x: round.vms, y: distributionOf(times).median / 1e6 }];
  });
  const fit = fitGrowth(samples, seed);
  if (fit === undefined) return undefined;
  const { limit, kind, pressure } = rounds[0]!;
  return {
    limit,
    kind,
    pressure,
    vms: [...new Set(samples.map(({ x }) => x))].sort((a, b) => a - b),
    line: { baseMs: fit.line.base, slopeMsPerVm: fit.line.slope },
    ...(fit.knee === undefined
      ? {}
      : {
          knee: {
            baseMs: fit.knee.base,
            slopeMsPerVm: fit.knee.slope,
            kneeVms: fit.knee.knee,
          },
        }),
    better: fit.better,
    ...(fit.bicGain === undefined ? {} : { bicGain: fit.bicGain }),
    worst: { vms: fit.worst.x, share: fit.worst.share },
  };
}
