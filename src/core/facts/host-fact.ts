/** One line of `doctor`: a fact, the evidence for it, and what would change it. */
export interface HostFact {
  /** Stable key for machines, such as `lock-tracepoints`. */
  readonly id: string;
  readonly title: string;
  /** `ok`: usable. `limited`: usable in part. `missing`: not usable. `info`: neither good nor bad. */
  readonly state: "ok" | "limited" | "missing" | "info";
  /** What is the case, in a few words. */
  readonly found: string;
  /** Where this was read: a file, a system call, a program's output. */
  readonly evidence: string;
  /** The line that would enable it; absent when nothing needs doing or nothing can be done. */
  readonly remedy?: string;
}
