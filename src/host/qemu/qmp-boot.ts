import type { Duplex } from "node:stream";
import { plainLines } from "./console-tail.ts";
import { isObject, openQmp, type Qmp } from "./qmp.ts";

/** What QMP tells of a boot. */
export interface QmpBoot {
  /** The VMM has greeted and takes commands. */
  onReady(): void;
  /** The vCPUs run. */
  onResumed(): void;
  onVcpus(tids: readonly number[]): void;
  onPanic(said: string): void;
  /** The VMM is about to end; in a word, why, where it says so: `guest-reset`, `host-signal`. */
  onShutdown(reason: string | undefined): void;
  /** The VMM broke the protocol, or will not run its guest. */
  onFault(why: string): void;
}

/** Lets the vCPUs go of a VMM that was started with -S, and listens to what it says of them. */
export function bootOverQmp(stream: Duplex, limitMs: number, boot: QmpBoot): Qmp {
  const qmp = openQmp(stream, {
    onReady() {
      boot.onReady();
      void qmp.execute("cont", { limitMs }).then((answer) => {
        if (!answer.ok && qmp.isOpen()) boot.onFault(`QMP refused cont: ${answer.why}`);
      });
      void qmp.execute("query-cpus-fast", { limitMs }).then((answer) => {
        if (answer.ok) boot.onVcpus(threadIdsOf(answer.value));
      });
    },
    onEvent(name, { reason }) {
      if (name === "RESUME") boot.onResumed();
      if (name === "GUEST_PANICKED") boot.onPanic("the guest panicked (QMP GUEST_PANICKED)");
      if (name !== "SHUTDOWN") return;
      boot.onShutdown(typeof reason === "string" ? plainLines(reason)[0] : undefined);
    },
    onFault: boot.onFault,
  });
  return qmp;
}

/** `query-cpus-fast`: `[{"cpu-index": 0, "thread-id": 31503, …}]` */
function threadIdsOf(cpus: unknown): number[] {
  if (!Array.isArray(cpus)) return [];
  return cpus.flatMap((cpu) => {
    const tid = isObject(cpu) ? cpu["thread-id"] : undefined;
    return typeof tid === "number" ? [tid] : [];
  });
}
