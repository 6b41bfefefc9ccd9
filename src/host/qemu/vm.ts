// The life of one VM, from the request to the end of its process, written down as it happens.
import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { Duplex, Readable } from "node:stream";
import {
  type Accelerator,
  type BootRecord,
  MILESTONES,
  type Milestone,
  type MilestoneSeen,
  type MilestoneSource,
} from "../../core/event/boot.ts";
import { openConsoleLog } from "./console-log.ts";
import { readPaced } from "./console-pace.ts";
import { createConsoleScan } from "./console-scan.ts";
import { createTextTail } from "./console-tail.ts";
import {
  createSightings,
  debugPortSigns,
  type GuestMilestone,
  type Sightings,
  type Sign,
} from "./milestones.ts";
import type { Qmp } from "./qmp.ts";
import { bootOverQmp } from "./qmp-boot.ts";
import { sampleVm, type VmSample } from "./sample.ts";
import { type HowItEnded, type Verdict, verdictOf } from "./vm-outcome.ts";
import { type Channels, startVmm, type VmmExit } from "./vm-process.ts";

/** What is to be started, and how it is watched. */
export interface VmAsk {
  readonly name: string;
  readonly group: string;
  readonly accelerator: Accelerator;
  readonly program: string;
  readonly args: readonly string[];
  readonly channels: Channels;
  /**
   * Texts on the console that tell of milestones, each of at most 256 bytes. The empty text stands
   * for the first byte that comes, which on a microvm is the kernel's.
   */
  readonly consoleMarks?: Readonly<Partial<Record<GuestMilestone, string>>>;
  /** Where its `console.log` is written; must exist. */
  readonly folder: string;
  /** How much of the console is kept on disk. More is read, counted and thrown away. */
  readonly consoleBytesMax: number;
  /** From its start until it must be ready. */
  readonly readyTimeoutMs: number;
  /** CLOCK_MONOTONIC of the round's time 0, which all times of the record count from. */
  readonly originNs: bigint;
  readonly requestedNs: number;
  readonly admittedNs: number;
  /** `end`: it is killed as soon as it is ready. `stay`: it goes on until it ends or is ended. */
  readonly afterReady: "end" | "stay";
  /** Aborting it kills the VM. */
  readonly signal: AbortSignal;
  /** Called at the first sight of each milestone that comes after this call. */
  onMilestone?(milestone: Milestone, seen: MilestoneSeen): void;
}

export interface RunningVm {
  /** Absent when it could not be started. */
  readonly pid: number | undefined;
  /** Settles when the VM is ready, and never when it never is: wait for `done` as well. */
  readonly ready: Promise<void>;
  /** The whole story, once the process has ended and its console is on disk. Never rejects. */
  readonly done: Promise<BootRecord>;
  /** Kills it. A boot that was ready stays so. */
  end(): void;
  /** Absent for a VM without QMP. */
  readonly qmp?: Qmp;
}

/** After a panic the kernel still prints where, and may then end the VM itself. */
const PANIC_GRACE_MS = 1_000;

/** Starts a VM and watches it. Whatever it does becomes a record; nothing is thrown. */
export function startVm(ask: VmAsk): RunningVm {
  return ask.signal.aborted ? neverStarted(ask) : watch(ask);
}

function neverStarted(ask: VmAsk): RunningVm {
  const done = Promise.resolve<BootRecord>({
    ...identityOf(ask, sightingsOf(ask)),
    outcome: "not-started",
    why: "the round was given up before its turn came",
  });
  return { pid: undefined, ready: new Promise(() => undefined), done, end: () => undefined };
}

function watch(ask: VmAsk): RunningVm {
  const sightings = sightingsOf(ask);
  const log = openConsoleLog(join(ask.folder, "console.log"), ask.consoleBytesMax);
  const consoleTail = createTextTail();
  const stderrTail = createTextTail();
  const timers: NodeJS.Timeout[] = [];
  let vcpuTids: readonly number[] | undefined;
  let used: VmSample = {};
  let sampled = Promise.resolve();
  let panic: string | undefined;
  let shutdown: string | undefined;
  let endedByUs: HowItEnded["endedByUs"];
  let settleReady: () => void;
  const ready = new Promise<void>((resolve) => {
    settleReady = resolve;
  });

  const nowNs = () => Number(process.hrtime.bigint() - ask.originNs);
  const isReady = () => sightings.seen.ready !== undefined;
  const after = (ms: number, work: () => void) => timers.push(setTimeout(work, ms));

  const vmm = startVmm(ask.program, ask.args, ask.channels);
  if (vmm.pid !== undefined) note("spawned", "driver", nowNs());

  function note(milestone: Milestone, source: MilestoneSource, atNs: number, guestNs?: number) {
    const seen = sightings.note(milestone, source, atNs, guestNs);
    if (seen === undefined) return;
    ask.onMilestone?.(milestone, seen);
    if (milestone !== "ready") return;
    settleReady();
    void sample().then(() => ask.afterReady === "end" && vmm.kill());
  }

  function hear(signs: readonly Sign[], source: MilestoneSource, atNs: number): void {
    if (endedByUs !== undefined) return; // What was still in the pipes comes too late to count.
    for (const { milestone, guestNs } of signs) note(milestone, source, atNs, guestNs);
  }

  /** Remembers what the VM has used until now; a later sample replaces an earlier one. */
  function sample(): Promise<void> {
    const { pid } = vmm;
    if (pid === undefined) return sampled;
    const earlier = sampled;
    sampled = sampleVm(pid, vcpuTids).then(async (sample) => {
      await earlier;
      used = { ...used, ...sample };
    });
    return sampled;
  }

  /** Ends it at once. The reason counts only for a boot that was not ready. */
  function end(as: "protocol" | "given-up", why: string): void {
    if (!isReady()) endedByUs ??= { as, why };
    vmm.kill();
  }

  function onTimeout(): void {
    if (isReady()) return;
    endedByUs ??= { as: "timeout", why: `not ready within ${ask.readyTimeoutMs} ms` };
    void sample().then(vmm.kill);
  }

  function onPanic(line: string): void {
    if (panic !== undefined || isReady()) return;
    panic = line;
    void sample();
    after(PANIC_GRACE_MS, vmm.kill);
  }

  function readConsole(stream: Readable): void {
    const scan = createConsoleScan(ask.consoleMarks ?? {});
    readPaced(stream, (piece) => {
      const atNs = nowNs();
      const found = scan(piece);
      hear(found.signs, "serial", atNs);
      if (found.panic !== undefined) onPanic(found.panic);
      consoleTail.add(piece);
      log.write(piece);
    });
  }

  function control(stream: Duplex): Qmp {
    return bootOverQmp(stream, ask.readyTimeoutMs, {
      onReady: () => note("vmmReady", "qmp", nowNs()),
      onResumed: () => note("resumed", "qmp", nowNs()),
      onVcpus(tids) {
        vcpuTids = tids;
      },
      onPanic,
      onShutdown(reason) {
        shutdown = reason;
        if (!isReady()) void sample(); // Soon there is nobody left to ask.
      },
      onFault: (why) => end("protocol", why),
    });
  }

  async function story(): Promise<BootRecord> {
    const exit = await vmm.exited;
    if (vmm.pid !== undefined) note("exited", "driver", nowNs());
    for (const timer of timers) clearTimeout(timer);
    ask.signal.removeEventListener("abort", onAbort);
    await vmm.closed;
    await sampled;
    const console = await log.close();
    return {
      ...identityOf(ask, sightings),
      ...verdict(exit),
      ...(isReady() ? {} : { consoleTail: consoleTail.lines() }),
      ...(vmm.pid === undefined ? {} : { pid: vmm.pid }),
      ...used,
      console,
    };
  }

  function verdict(exit: VmmExit): Verdict {
    return verdictOf({
      ...exit,
      last: MILESTONES.findLast((each) => each !== "exited" && sightings.seen[each])!,
      panic,
      endedByUs,
      shutdown,
      stderr: stderrTail.lines(),
    });
  }

  const onAbort = () => end("given-up", "the run was interrupted");
  setMaxListeners(0, ask.signal); // A round has many VMs.
  ask.signal.addEventListener("abort", onAbort, { once: true });
  after(ask.readyTimeoutMs, onTimeout);
  if (vmm.console) readConsole(vmm.console);
  vmm.stderr?.on("data", stderrTail.add);
  vmm.debugPort?.on("data", (bytes: Buffer) => hear(debugPortSigns(bytes), "debug-port", nowNs()));
  vmm.firmware?.once("data", () => {
    hear([{ milestone: "firmware" }], "debug-port", nowNs());
    vmm.firmware?.destroy(); // It goes on at length, byte by byte, and needs no listener for it.
  });
  return {
    pid: vmm.pid,
    ready,
    done: story(),
    end: () => end("given-up", "it was ended before it was ready"),
    ...(vmm.qmp ? { qmp: control(vmm.qmp) } : {}),
  };
}

function sightingsOf(ask: VmAsk): Sightings {
  const sightings = createSightings();
  sightings.note("requested", "driver", ask.requestedNs);
  sightings.note("admitted", "driver", ask.admittedNs);
  return sightings;
}

function identityOf(
  { name, group, accelerator }: VmAsk,
  { seen }: Sightings,
): Pick<BootRecord, "name" | "group" | "accelerator" | "seen"> {
  return { name, group, accelerator, seen };
}
