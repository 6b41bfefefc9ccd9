import { BootstormError, EXIT } from "../../../core/error.ts";
import { isTrace, readTrace } from "../../../core/event/codec.ts";
import type { Trace } from "../../../core/event/schema.ts";
import { readPerfScript } from "../../../core/trace/perf-script.ts";
import { readWholeFile } from "../../../host/store/read.ts";

/** A recording is read whole; `perf script --time` cuts a larger one. */
const FILE_BYTES_MAX = 2 ** 31;

const PERF_SCRIPT = "perf script --ns -F comm,pid,tid,cpu,time,event,trace,ip,sym";

/**
 * Reads a recording in any format we know; the file's first bytes tell which.
 * @throws BootstormError CANNOT_READ, BAD_TRACE, NEWER_TRACE or NOT_A_RECORDING
 */
export async function readRecording(file: string): Promise<Trace> {
  const bytes = await readWholeFile(file, {
    bytesMax: FILE_BYTES_MAX,
    remedies: [
      "record one: sudo bootstorm contention --save FILE",
      "to record while a command runs: sudo bootstorm contention -- COMMAND",
    ],
  });
  if (isTrace(bytes)) return named(file, () => readTrace(bytes));
  const trace = readPerfScript(bytes);
  if (trace.meta.events === 0) throw notARecording(file, bytes, trace);
  return trace;
}

/** Core does not know the file's name, nor what to do about it. */
function named(file: string, read: () => Trace): Trace {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof BootstormError)) throw error;
    throw new BootstormError(error.code, `cannot read ${file}`, {
      why: error.why,
      remedies: [...error.remedies, "copy it again, or record it again"],
      exit: error.exit,
    });
  }
}

function notARecording(file: string, bytes: Uint8Array, { meta }: Trace): BootstormError {
  const binary = new TextDecoder().decode(bytes.subarray(0, 8)) === "PERFILE2";
  const lines = meta.rejects.reduce((sum, reject) => sum + reject.count, 0);
  return new BootstormError("NOT_A_RECORDING", `cannot read ${file}`, {
    why: binary
      ? "it is the binary file of perf record; the text of perf script is read"
      : `it is no trace of bootstorm, and none of its ${lines} lines is a lock event of perf script`,
    remedies: binary
      ? [`${PERF_SCRIPT} -i ${file} > FILE`]
      : [
          "perf record -e lock:contention_begin,lock:contention_end -a -- COMMAND",
          `${PERF_SCRIPT} > FILE`,
        ],
    exit: EXIT.input,
  });
}
