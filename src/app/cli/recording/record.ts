import type { Trace } from "../../../core/event/schema.ts";
import { readTracefs } from "../../../core/trace/tracefs.ts";
import type { RecordingPass } from "../../../host/secretmem/measure.ts";
import {
  openRecorder,
  RECORDER_DEFAULTS,
  type RecorderOptions,
} from "../../../host/tracefs/recorder.ts";
import { kernelSymbols } from "../../../host/tracefs/symbols.ts";

/** A recording of the whole machine's lock waits that comes home as a trace. */
export interface Recording {
  start(): void;
  stop(): Trace;
  /** Takes everything out of the kernel; safe to call again. */
  close(): void;
}

/** @throws BootstormError NO_TRACEFS, TRACEFS_NOT_PERMITTED or NO_LOCK_EVENTS */
export function openRecording(options: Partial<RecorderOptions>): Recording {
  const recorder = openRecorder({ ...RECORDER_DEFAULTS, ...options });
  return {
    start: recorder.start,
    stop: () => readTracefs(recorder.stop(), kernelSymbols()),
    close: recorder.close,
  };
}

/** Records while `work` runs. Nothing stays in the kernel, however it ends. */
export async function recordDuring(
  options: Partial<RecorderOptions>,
  work: () => Promise<void>,
): Promise<Trace> {
  const recording = openRecording(options);
  try {
    recording.start();
    await work();
    return recording.stop();
  } finally {
    recording.close();
  }
}

/**
 * Two passes of a load that are recorded: first without call stacks, for the times; then with them,
 * for the names.
 * @returns with the traces, which are there once the passes have run
 */
export function recordedTwice(rounds: number): { passes: RecordingPass[]; traces: Trace[] } {
  const traces: Trace[] = [];
  const passes = [{ stacks: false }, { stacks: true }].map((how) => ({
    rounds,
    around: async (work: () => Promise<void>) => {
      traces.push(await recordDuring(how, work));
    },
  }));
  return { passes, traces };
}
