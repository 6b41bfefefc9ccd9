import type { Trace } from "../../core/event/schema.ts";
import { readTracefs } from "../../core/trace/tracefs.ts";
import { openRecorder, RECORDER_DEFAULTS } from "../../host/tracefs/recorder.ts";
import { kernelSymbols } from "../../host/tracefs/symbols.ts";

/**
 * Records the lock waits of the whole machine while `work` runs.
 * Nothing of the recording stays in the kernel, however `work` ends.
 * @throws BootstormError NO_TRACEFS, TRACEFS_NOT_PERMITTED or NO_LOCK_EVENTS, before `work` begins
 */
export async function recordDuring<T>(
  options: { stacks: boolean },
  work: () => Promise<T>,
): Promise<{ trace: Trace; value: T }> {
  const recorder = openRecorder({ ...RECORDER_DEFAULTS, ...options });
  try {
    recorder.start();
    const value = await work();
    return { trace: readTracefs(recorder.stop(), kernelSymbols()), value };
  } finally {
    recorder.close();
  }
}
