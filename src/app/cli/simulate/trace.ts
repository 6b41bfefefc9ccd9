// The recording of one simulated storm: what --trace writes.
import { Worker } from "node:worker_threads";
import type { StormPoint } from "../../../core/analyze/storm-point.ts";
import type { CostsNs } from "../../../core/kernel/cost/cost-table.ts";
import type { Fact } from "../../../core/report/footer.ts";
import type { Scenario } from "../../../core/scenario/scenario.ts";
import { formatCount, formatNs } from "../../../core/units.ts";
import type { Session } from "../run.ts";

/** Plain data: it travels by structured clone. */
export interface TraceJob {
  readonly scenario: Scenario;
  /** Where its table is not one of ours. */
  readonly costs: CostsNs | undefined;
}

/** A recording that was written, in numbers. */
export interface SimulatedTrace extends TraceSummary {
  readonly file: string;
}

export interface TraceSummary {
  readonly seed: number;
  readonly grain: string;
  /** Of the storm, and of that part of it that the recording covers. */
  readonly makespanNs: number;
  readonly spanNs: number;
  readonly waits: number;
  /** Waits after the end of the recording, which has room for so many. */
  readonly lost: number;
}

export type TraceMessage =
  | { readonly said: "progress"; readonly done: number }
  | ({ readonly said: "done" } & TraceBytes);

export interface TraceBytes {
  /** A whole file. */
  readonly bytes: Uint8Array;
  readonly summary: TraceSummary;
}

/** Simulates in a thread, with progress; an interrupt ends it at once. */
export function traceInThread({ signal, progress }: Session, job: TraceJob): Promise<TraceBytes> {
  signal.throwIfAborted();
  const worker = new Worker(new URL("trace-worker.js", import.meta.url), {
    workerData: job,
  });
  return new Promise((resolve, reject) => {
    const end = () => void worker.terminate();
    signal.addEventListener("abort", end, { once: true });
    worker.on("message", (message: TraceMessage) => {
      if (message.said === "progress") progress.step("recording the last point", message.done);
      else resolve(message);
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
    });
  });
}

/** What the recording holds, for the report. */
export function traceFact(trace: SimulatedTrace, { fields }: StormPoint): Fact {
  const swept = fields.map(({ path, label }) => `${path} ${label}`).join(", ");
  const which = swept === "" ? "the storm" : `the last point (${swept})`;
  return {
    label: "trace",
    text: `${trace.file}: ${which}, seed ${trace.seed}, ${formatCount(trace.waits)} lock waits`,
  };
}

export function traceCaveats(trace: SimulatedTrace, point: StormPoint): string[] {
  const { file, grain, makespanNs, spanNs, waits, lost } = trace;
  return [
    ...(point.grain === grain
      ? []
      : [
          `${file} is of the same storm run in ${grain}: one that is ${point.grain} has no single waits`,
        ]),
    ...(lost === 0
      ? []
      : [
          `${file} has room for ${formatCount(waits)} lock waits and ends after ${formatNs(spanNs)} of ${formatNs(makespanNs)}: ${formatCount(lost)} later ones are left out`,
        ]),
  ];
}

/** As `--json` prints it. */
export function traceJson({ makespanNs, spanNs, ...rest }: SimulatedTrace) {
  return { ...rest, makespanMs: makespanNs / 1e6, spanMs: spanNs / 1e6 };
}
