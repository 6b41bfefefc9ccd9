// What the model says of the kernels of a run, from what the base kernel showed in it.
import { Worker } from "node:worker_threads";
import {
  isSamePlace,
  type KernelPredictionOutcome,
} from "../../../core/analyze/kernel-ab/gains.ts";
import {
  countedBoots,
  measuredOf,
  opsPerSecond,
  placesOf,
} from "../../../core/analyze/kernel-ab/measured.ts";
import type { KernelAbResult } from "../../../core/analyze/kernel-ab/result.ts";
import type {
  ArmDesign,
  KernelArm,
  KernelBoot,
  KernelRun,
} from "../../../core/event/kernel-run.ts";
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import type {
  BasePoint,
  GuestPredictionOutcome,
  PredictionInput,
} from "../../../core/sim/guest-load/prediction.ts";
import type { Session } from "../run.ts";

/** Takes seconds: in a thread, so that an interrupt ends it at once. */
export async function predictKernels(
  session: Session,
  run: KernelRun,
  boots: readonly KernelBoot[],
  { arms }: KernelAbResult,
): Promise<KernelPredictionOutcome> {
  const [base] = run.arms;
  const own = knownDesign(base?.design);
  if (base === undefined || own === undefined) {
    return { why: `which lock design ${base?.name ?? "the base"} is was not said` };
  }
  if (!hasLargePages(base)) return { why: `${base.name} has no large entry to begin with` };
  const designs = distinct(run.arms.flatMap(({ design }) => knownDesign(design) ?? []));
  const prediction = await inThread(session, {
    baseDesign: own.name,
    base: basePoints(boots),
    designs,
    hostCpus: run.hostCpus,
    spinlock: arms[0]?.spinlock ?? "test-and-set",
    seed: run.seed,
  });
  if ("why" in prediction) return prediction;
  const { costs, points, leavesOut } = prediction;
  return {
    costs,
    leavesOut,
    points: run.arms.flatMap((arm, index) => {
      const design = designs.findIndex((each) => isSame(each, arm.design));
      return points
        .filter((point) => point.design === design)
        .filter(({ load }) => load !== "split" || hasLargePages(arm))
        .map(({ design: _, fitted, ...point }) => ({
          ...point,
          arm: index,
          // The fit has seen the base, not another arm of the same design.
          fitted: fitted && index === 0,
        }));
    }),
  };
}

/** What counts of the base, a value a boot. */
function basePoints(boots: readonly KernelBoot[]): readonly BasePoint[] {
  const own = measuredOf(countedBoots(boots, "time").filter(({ arm }) => arm === 0));
  return placesOf(boots).flatMap(({ load, vcpus, threads }): readonly BasePoint[] => {
    if (load === "mixed") return [];
    const place = { load, vcpus, threads };
    const results = own
      .filter((each) => isSamePlace(each, place))
      .map(({ result }) => result)
      // Of no time at all nothing can be calibrated; a file may say so.
      .filter(({ latencyNs, ops }) => latencyNs.mean > 0 && ops > 0);
    if (results.length === 0) return [];
    return [
      {
        ...place,
        meanNs: results.map(({ latencyNs }) => latencyNs.mean),
        opsPerSecond: results.map(opsPerSecond),
      },
    ];
  });
}

/** A design that there is: the notes of a run may come from anybody. */
export function knownDesign(design: ArmDesign | undefined): ArmDesign | undefined {
  return design !== undefined && DESIGN_BY_NAME.has(design.name) ? design : undefined;
}

/** Else there is nothing to split. */
export function hasLargePages({ design }: KernelArm): boolean {
  return design?.start !== "4k";
}

function distinct(designs: readonly ArmDesign[]): readonly ArmDesign[] {
  return designs.filter(
    (design, index) => designs.findIndex((each) => isSame(each, design)) === index,
  );
}

function isSame(a: ArmDesign, b: ArmDesign | undefined): boolean {
  return a.name === b?.name && a.start === b.start;
}

function inThread(
  { signal, progress }: Session,
  input: PredictionInput,
): Promise<GuestPredictionOutcome> {
  signal.throwIfAborted();
  progress.step("asking the model");
  const worker = new Worker(new URL("predict-worker.js", import.meta.url), { workerData: input });
  return new Promise((resolve, reject) => {
    const end = () => void worker.terminate();
    signal.addEventListener("abort", end, { once: true });
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
    });
  });
}
