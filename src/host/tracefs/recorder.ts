import { closeSync, constants, openSync, readdirSync, readSync } from "node:fs";
import { BootstormError, EXIT } from "../../core/error.ts";
import { PAGE_BYTES, type RawCpu, type RawRecording } from "../../core/trace/raw-recording.ts";
import { createInstance, type TracefsInstance } from "./instance.ts";
import { refusedBy } from "./mount.ts";
import { listTasks } from "./tasks.ts";

/** The kernel's clock that Node's `process.hrtime` reads too, so that both can be compared. */
const CLOCK = "mono";
/** Bytes of events on a page, as `stats` counts them. */
const PAGE_DATA_BYTES = PAGE_BYTES - 16;
const DRAIN_EVERY_MS = 50;

const EVENTS = [
  "lock/contention_begin",
  "lock/contention_end",
  "task/task_newtask",
  "task/task_rename",
];

export interface RecorderOptions {
  /** Record the call stack of each begin: about 1 µs more for who waits, nothing for who holds. */
  readonly stacks: boolean;
  /** The kernel's buffer for each CPU. */
  readonly bufferKiBPerCpu: number;
  /** What we keep in memory, all CPUs together; pages beyond are counted and dropped. */
  readonly keepBytesMax: number;
  /** List all threads when it starts, to know the processes of those that wait. */
  readonly tasks: boolean;
}

export const RECORDER_DEFAULTS: RecorderOptions = {
  stacks: true,
  bufferKiBPerCpu: 4096,
  keepBytesMax: 256 << 20,
  tasks: true,
};

/** Records contended lock acquisitions of the whole machine. */
export interface Recorder {
  /** Also after `stop`, for another recording. */
  start(): void;
  /** Ends the recording and brings it home. Events stay enabled, without effect, until `close`. */
  stop(): RawRecording;
  /** Removes everything from the kernel; safe to call again, and needed after a failure too. */
  close(): void;
}

/**
 * Prepares a recording in a trace instance of its own. The kernel's raw pages are read as they
 * fill: 28 bytes an event and about a quarter of a microsecond, with no package to install.
 * @throws BootstormError NO_TRACEFS, TRACEFS_NOT_PERMITTED or NO_LOCK_EVENTS
 */
export function openRecorder(options: RecorderOptions): Recorder {
  const instance = createInstance();
  try {
    return prepare(instance, options);
  } catch (error) {
    instance.remove();
    throw error;
  }
}

function prepare(instance: TracefsInstance, options: RecorderOptions): Recorder {
  const cpus = readdirSync(`${instance.path}/per_cpu`)
    .map((name) => Number(name.slice("cpu".length)))
    .sort((a, b) => a - b);
  const formats = formatsOf(instance, options);
  instance.set("tracing_on", "0");
  instance.set("trace_clock", CLOCK);
  // When the buffer is full, lose the newest events: pairs that are complete stay complete.
  instance.set("trace_options", "nooverwrite");
  setBuffer(instance, options.bufferKiBPerCpu, cpus.length);
  if (options.stacks) instance.set("events/lock/contention_begin/trigger", "stacktrace");

  const readers = cpus.map((cpu) => pageReader(instance, cpu));
  // Before the instance removes itself at `exit`: one that is open stays.
  process.prependOnceListener("exit", close);
  let keptBytes = 0;
  let startNs = 0n;
  let tasks: RawRecording["tasks"] = [];
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    for (const event of EVENTS) instance.set(`events/${event}/enable`, "1");
    if (options.tasks) tasks = listTasks();
    startNs = process.hrtime.bigint();
    instance.set("tracing_on", "1");
    timer = setInterval(drainFullPages, DRAIN_EVERY_MS);
  }

  function drainFullPages(): void {
    for (const reader of readers) take(reader, reader.fullPages());
  }

  function take(reader: PageReader, pagesMax: number): void {
    for (let i = 0; i < pagesMax; i += 1) {
      if (!reader.read(keptBytes < options.keepBytesMax)) return;
      keptBytes += PAGE_BYTES;
    }
  }

  function stop(): RawRecording {
    clearInterval(timer);
    instance.set("tracing_on", "0");
    const endNs = process.hrtime.bigint();
    for (const reader of readers) take(reader, Number.POSITIVE_INFINITY);
    keptBytes = 0;
    const recorded = readers.map((reader) => reader.finish());
    return { clock: CLOCK, startNs, endNs, cpus: recorded, formats, tasks, stacks: options.stacks };
  }

  function close(): void {
    clearInterval(timer);
    process.off("exit", close);
    for (const reader of readers) reader.close();
    instance.remove();
  }

  return { start, stop, close };
}

function formatsOf(instance: TracefsInstance, options: RecorderOptions): string[] {
  const wanted = options.stacks ? [...EVENTS, "ftrace/kernel_stack"] : EVENTS;
  try {
    // ftrace/ itself is not in instances; its formats are those of the whole tracefs.
    return wanted.map((event) =>
      instance.get(
        event.startsWith("ftrace/") ? `../../events/${event}/format` : `events/${event}/format`,
      ),
    );
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (failure.code !== "ENOENT") throw refusedBy(failure);
    throw new BootstormError("NO_LOCK_EVENTS", "cannot record lock events", {
      why: `this kernel lacks an event: ${failure.message}`,
      remedies: ["lock:contention_begin came with Linux 5.19: run on a newer kernel"],
      exit: EXIT.host,
    });
  }
}

function setBuffer(instance: TracefsInstance, kibPerCpu: number, cpuCount: number): void {
  try {
    instance.set("buffer_size_kb", `${kibPerCpu}`);
  } catch (error) {
    throw new BootstormError("NO_BUFFER", "cannot record lock events", {
      why: `the kernel gives no ${kibPerCpu} KiB for each of ${cpuCount} CPUs: ${(error as Error).message}`,
      remedies: ["ask for a smaller --buffer"],
      exit: EXIT.host,
    });
  }
}

interface PageReader {
  /** Pages that are complete: reading the one being written would only copy a part of it. */
  fullPages(): number;
  /** @returns false when there is nothing to read now */
  read(keep: boolean): boolean;
  finish(): RawCpu;
  close(): void;
}

function pageReader(instance: TracefsInstance, cpu: number): PageReader {
  const folder = `per_cpu/cpu${cpu}`;
  const fd = openSync(
    `${instance.path}/${folder}/trace_pipe_raw`,
    constants.O_RDONLY | constants.O_NONBLOCK,
  );
  const chunks: Uint8Array[] = [];
  let pagesCut = 0;
  /** Counted by the kernel since the instance was made, told by `finish`. */
  let droppedTold = 0;
  let open = true;

  function stat(name: string): number {
    return Number(
      new RegExp(`^${name}: (\\d+)`, "m").exec(instance.get(`${folder}/stats`))?.[1] ?? 0,
    );
  }

  function read(keep: boolean): boolean {
    const page = new Uint8Array(PAGE_BYTES);
    try {
      if (readSync(fd, page) < PAGE_BYTES) return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
      throw error;
    }
    if (keep) chunks.push(page);
    else pagesCut += 1;
    return true;
  }

  function finish(): RawCpu {
    const pages = new Uint8Array(chunks.length * PAGE_BYTES);
    chunks.forEach((page, i) => {
      pages.set(page, i * PAGE_BYTES);
    });
    const droppedInAll = stat("dropped events") + stat("overrun");
    const finished = { cpu, pages, dropped: droppedInAll - droppedTold, pagesCut };
    droppedTold = droppedInAll;
    chunks.length = 0;
    pagesCut = 0;
    return finished;
  }

  return {
    fullPages: () => Math.floor(stat("bytes") / PAGE_DATA_BYTES),
    read,
    finish,
    close: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
