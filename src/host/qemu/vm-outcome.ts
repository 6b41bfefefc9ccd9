import type { Milestone, Outcome } from "../../core/event/boot.ts";
import type { VmmExit } from "./vm-process.ts";

/** All that decides how a boot is called that has ended. */
export interface HowItEnded extends VmmExit {
  /** The last milestone that was seen before the end. */
  readonly last: Milestone;
  /** What was said of the panic of the guest's kernel. */
  readonly panic: string | undefined;
  /** Why we ended it, where we did. */
  readonly endedByUs:
    | { readonly as: "timeout" | "protocol" | "given-up"; readonly why: string }
    | undefined;
  /** The reason in QMP's SHUTDOWN event: `guest-reset`, `host-signal`, … */
  readonly shutdown: string | undefined;
  /** The last lines of the VMM's standard error. */
  readonly stderr: readonly string[];
}

export interface Verdict {
  readonly outcome: Outcome;
  /** Absent for `ready`. */
  readonly why?: string;
}

const OUTCOME_OF = { timeout: "timeout", protocol: "vmm-failed", "given-up": "killed" } as const;

/** How many lines of the VMM's standard error a reason quotes. */
const QUOTED_LINES_MAX = 3;

/** Signals that a program brings upon itself. QEMU calls abort() where KVM refuses it something. */
const OWN_SIGNALS: readonly NodeJS.Signals[] = [
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGSEGV",
  "SIGSYS",
  "SIGTRAP",
];

/** Calls a boot that has ended by its name. One that was ready is `ready`, whatever came later. */
export function verdictOf(how: HowItEnded): Verdict {
  if (how.last === "ready") return { outcome: "ready" };
  const { outcome, why } = reasonOf(how);
  return { outcome, why: `${why} (last seen: ${how.last})${quoted(how.stderr)}` };
}

/** What the VMM said of it, to stand behind a reason. @param stderr  its last lines */
export function quoted(stderr: readonly string[]): string {
  const said = stderr.slice(-QUOTED_LINES_MAX).join(" | ");
  return said === "" ? "" : `; the VMM said: ${said}`;
}

function reasonOf(how: HowItEnded): Required<Verdict> {
  const { endedByUs, startError, shutdown } = how;
  if (startError === undefined && how.panic !== undefined) {
    return { outcome: "panic", why: how.panic };
  }
  if (startError === undefined && endedByUs !== undefined) {
    return { outcome: OUTCOME_OF[endedByUs.as], why: endedByUs.why };
  }
  const fault = faultOfVmm(how);
  if (fault !== undefined) return fault;
  const reason = shutdown === undefined ? "" : `, ${shutdown}`;
  return { outcome: "ended", why: `the VM ended before it was ready${reason}` };
}

export interface VmmFault {
  readonly outcome: "vmm-failed" | "killed";
  readonly why: string;
}

/** What ended a VMM that its guest did not end; undefined: the guest, or whoever may end it. */
export function faultOfVmm({
  startError,
  code,
  signal,
  shutdown,
}: VmmExit & Pick<Partial<HowItEnded>, "shutdown">): VmmFault | undefined {
  if (startError !== undefined) {
    return { outcome: "vmm-failed", why: `the VMM did not start: ${startError}` };
  }
  if (signal !== null) {
    return OWN_SIGNALS.includes(signal)
      ? { outcome: "vmm-failed", why: `the VMM ended itself by ${signal}` }
      : { outcome: "killed", why: `${signal} from elsewhere ended the VMM` };
  }
  if (shutdown === "host-signal") {
    return { outcome: "killed", why: "a signal from elsewhere ended the VMM" };
  }
  return code === 0
    ? undefined
    : { outcome: "vmm-failed", why: `the VMM ended with status ${code}` };
}
