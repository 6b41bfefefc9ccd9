/** Bytes of one page of the kernel's ring buffer, as `trace_pipe_raw` gives them on x86-64. */
export const PAGE_BYTES = 4096;

/** What the recorder of the host brings home: raw pages, and what it takes to read them. */
export interface RawRecording {
  readonly clock: string;
  /** On `clock`. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly cpus: readonly RawCpu[];
  /** Texts of `events/SYSTEM/NAME/format`. */
  readonly formats: readonly string[];
  /** Threads alive when the recording began. */
  readonly tasks: readonly TaskEntry[];
  /** True when a call stack follows each `contention_begin`. */
  readonly stacks: boolean;
}

export interface RawCpu {
  readonly cpu: number;
  /** Whole pages, one after the other. */
  readonly pages: Uint8Array;
  /** Events the kernel dropped because its buffer was full. */
  readonly dropped: number;
  /** Pages we read but had no room to keep. */
  readonly pagesCut: number;
}

export interface TaskEntry {
  readonly tid: number;
  /** The process the thread belongs to; Linux calls it tgid. */
  readonly pid: number;
  /** Name of the process: that of its first thread. */
  readonly process: string;
}
