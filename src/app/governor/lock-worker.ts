// The recorder of the daemon, in a thread of its own: what it waits for in the kernel, and the reading
// of what it brings home, must not hold up decisions. Asked for a window of so many milliseconds, it
// answers with the waits in it.
import { parentPort } from "node:worker_threads";
import { assert } from "../../core/assert.ts";
import { BootstormError } from "../../core/error.ts";
import { parseKallsyms } from "../../core/trace/kallsyms.ts";
import { readTracefs } from "../../core/trace/tracefs.ts";
import { openRecorder, RECORDER_DEFAULTS, type Recorder } from "../../host/tracefs/recorder.ts";
import type { LockAnswer, LockRequest } from "./lock-watch.ts";

assert(parentPort !== null, "this file is the program of a thread");
const port = parentPort;
const say = (answer: LockAnswer) => port.postMessage(answer);

/** 9,000 events; full pages are fetched twenty times a second. 64 MiB on a host with 256 CPUs. */
const BUFFER_KIB_PER_CPU = 256;
const KEEP_BYTES_MAX = 16 << 20;

/** Nothing is named: only who waited, and how long. */
const NO_SYMBOLS = parseKallsyms("");

try {
  const recorder = openRecorder({
    ...RECORDER_DEFAULTS,
    stacks: false,
    tasks: false,
    bufferKiBPerCpu: BUFFER_KIB_PER_CPU,
    keepBytesMax: KEEP_BYTES_MAX,
  });
  listen(recorder);
} catch (error) {
  say({ said: "missing", why: reasonOf(error) });
}

function listen(recorder: Recorder): void {
  let timer: NodeJS.Timeout;
  port.on("message", (request: LockRequest) => {
    if (request === "close") {
      clearTimeout(timer);
      recorder.close();
      port.close();
      return;
    }
    attempt(() => recorder.start());
    timer = setTimeout(() => attempt(() => say(windowOf(recorder))), request.windowMs);
  });
}

function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    say({ said: "missing", why: reasonOf(error) });
  }
}

function windowOf(recorder: Recorder): LockAnswer {
  const { meta, tables } = readTracefs(recorder.stop(), NO_SYMBOLS);
  const { t, waitNs, tid } = tables.lockWait;
  return {
    said: "window",
    window: { spanNs: meta.spanNs, t, waitNs, tid },
    pairs: meta.events / 2,
    lost: meta.lost > 0 || meta.rejects.some(({ why }) => why.startsWith("page ")),
    cpus: meta.cpuCount,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof BootstormError ? error.why : (error as Error).message;
}
