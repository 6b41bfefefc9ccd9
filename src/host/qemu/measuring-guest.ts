// A guest that measures and then ends by itself, from its start to the end of its process. All it says
// it says on its console.
import type { KernelBootOutcome } from "../../core/event/kernel-run.ts";
import { openConsoleLog } from "./console-log.ts";
import { readPaced } from "./console-pace.ts";
import { createConsoleScan } from "./console-scan.ts";
import { createTextTail } from "./console-tail.ts";
import { cpuNsOf } from "./sample.ts";
import { faultOfVmm, quoted } from "./vm-outcome.ts";
import { startVmm, type VmmExit } from "./vm-process.ts";

export interface MeasuringAsk {
  readonly program: string;
  readonly args: readonly string[];
  /** Where its console is written. */
  readonly consoleFile: string;
  /** Of its console, in memory and on disk. A guest that says more is ended. */
  readonly consoleBytesMax: number;
  /** What it says when it has measured everything. */
  readonly doneText: string;
  /** Without a new line for so long it hangs. */
  readonly silenceMs: number;
  /** So long it may take in all. */
  readonly limitMs: number;
  /** Aborting it kills the VM. */
  readonly signal: AbortSignal;
  /** A VMM has started. */
  onVm(pid: number): void;
}

export interface MeasuredGuest {
  readonly outcome: KernelBootOutcome;
  /** For people. Absent for `done`. */
  readonly why?: string;
  /** What is kept of its console. */
  readonly console: string;
  /** Its last lines, without control characters. Absent for `done`. */
  readonly consoleTail?: readonly string[];
  readonly elapsedMs: number;
  /** CPU time of the VMM until shortly before its end; 0 where it was gone before we could look. */
  readonly cpuNs: number;
}

/** A guest that is done ends by itself; after a panic the kernel still prints where. */
const GRACE_MS = 1_000;

/** `qemu-system-x86_64: terminating on signal 15 from pid 1 (init)`; its status is 0 then. */
const OBEYED_SIGNAL = /terminating on signal (\d+)/;

/**
 * Boots a guest and waits for its end. Whatever it does is an outcome; none is left when it returns.
 * @throws the signal's reason when it aborted
 */
export async function runMeasuringGuest(ask: MeasuringAsk): Promise<MeasuredGuest> {
  ask.signal.throwIfAborted();
  const log = openConsoleLog(ask.consoleFile, ask.consoleBytesMax);
  const pieces: Buffer[] = [];
  const [tail, stderrTail] = [createTextTail(), createTextTail()];
  const scan = createConsoleScan({});
  const isDone = createSearch(ask.doneText);
  let bytes = 0;
  let cpuNs = 0;
  let done = false;
  let panic: string | undefined;
  let hung: string | undefined;
  let silence: NodeJS.Timeout | undefined;
  const timers: NodeJS.Timeout[] = [];

  const startMs = performance.now();
  const vmm = startVmm(ask.program, ask.args, { debugPort: false, qmp: false });

  function hear(piece: Buffer): void {
    const room = ask.consoleBytesMax - bytes;
    bytes += piece.length;
    log.write(piece);
    tail.add(piece);
    if (room > 0) pieces.push(Buffer.from(piece.subarray(0, room)));
    else hang(`it wrote more than ${ask.consoleBytesMax} bytes to its console`);
    if (piece.includes("\n")) listenOn();
    if (!done && isDone(piece)) {
      done = true;
      endSoon();
    }
    const said = scan(piece).panic;
    if (said === undefined || done) return;
    panic = said;
    endSoon();
  }

  function listenOn(): void {
    clearTimeout(silence);
    silence = setTimeout(() => hang(`nothing new for ${ask.silenceMs / 1000} s`), ask.silenceMs);
  }

  function sample(): void {
    cpuNs = (vmm.pid === undefined ? undefined : cpuNsOf(vmm.pid)) ?? cpuNs;
  }

  function kill(): void {
    sample();
    vmm.kill();
  }

  function endSoon(): void {
    sample();
    timers.push(setTimeout(kill, GRACE_MS));
  }

  function hang(why: string): void {
    if (done || panic !== undefined) return;
    hung ??= why;
    kill();
  }

  function failureOf(exit: VmmExit): Pick<MeasuredGuest, "outcome" | "why"> {
    const stderr = stderrTail.lines();
    if (panic !== undefined) return { outcome: "panic", why: panic };
    if (hung !== undefined) return { outcome: "hung", why: hung };
    const shutdown = stderr.some((line) => OBEYED_SIGNAL.test(line)) ? "host-signal" : undefined;
    const { outcome, why } = faultOfVmm({ ...exit, shutdown }) ?? {
      outcome: "ended",
      why: "the VM ended by itself before it was done",
    };
    return { outcome, why: `${why}${quoted(stderr)}` };
  }

  ask.signal.addEventListener("abort", kill, { once: true });
  timers.push(
    setTimeout(() => hang(`not done within ${Math.round(ask.limitMs / 1000)} s`), ask.limitMs),
  );
  listenOn();
  if (vmm.console) readPaced(vmm.console, hear);
  vmm.stderr?.on("data", stderrTail.add);
  if (vmm.pid !== undefined) ask.onVm(vmm.pid);

  const exit = await vmm.exited;
  await vmm.closed;
  const elapsedMs = performance.now() - startMs;
  clearTimeout(silence);
  for (const timer of timers) clearTimeout(timer);
  ask.signal.removeEventListener("abort", kill);
  await log.close();
  ask.signal.throwIfAborted();
  return {
    ...(done ? { outcome: "done" } : { ...failureOf(exit), consoleTail: tail.lines() }),
    console: Buffer.concat(pieces).toString("utf8"),
    elapsedMs,
    cpuNs,
  };
}

/** Finds a text in what comes in pieces. */
function createSearch(text: string): (piece: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    const all = Buffer.concat([rest, piece]);
    rest = Buffer.from(all.subarray(Math.max(0, all.length - text.length + 1)));
    return all.includes(text);
  };
}
