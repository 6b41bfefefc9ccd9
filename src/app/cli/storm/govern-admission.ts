import { randomUUID } from "node:crypto";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { PolicySpec } from "../../../core/policy/policy.ts";
import { startTicksOf } from "../../../host/exec/start-time.ts";
import {
  askForPermit,
  type Decision,
  type KeptPermit,
  keepPermit,
  type PermitWish,
  policyOf,
  renewPermit,
} from "../../../host/governor/client.ts";
import { type GovernorAddress, NoAnswer } from "../../../host/governor/request.ts";
import type { Admission, BootEnd } from "./admission.ts";
import type { RunningGovernor } from "./governor-process.ts";
import type { StormMachine } from "./machine.ts";

/** How long a governor may be silent: other work may leave it without a CPU. */
const PATIENCE_MS = 15_000;

const PAGES_PER_MIB = 256;

interface Permit {
  readonly id: string;
  readonly kept: KeptPermit;
}

/**
 * A governor's daemon decides, asked for each VM as a launcher asks.
 * @param governor  is ended with the round
 */
export function governAdmission(
  governor: RunningGovernor,
  machine: Pick<StormMachine, "askOf">,
): Admission {
  const address: GovernorAddress = { kind: "socket", path: governor.socketPath };
  // Keys of a round are those of no other.
  const round = randomUUID();
  const over = new AbortController();
  const failure = new AbortController();
  const permits = new Map<number, Permit>();
  /** Whatever is under way and goes on by itself. */
  const pending = new Set<Promise<unknown>>();
  const inBackground = (work: Promise<unknown>) => {
    const tracked = work.finally(() => pending.delete(tracked));
    pending.add(tracked);
  };

  async function ask(vm: number, go: () => void): Promise<void> {
    try {
      const options = { signal: over.signal, patienceMs: PATIENCE_MS };
      const permit = granted(await askForPermit(address, wishOf(vm), options), governor);
      const lost = (why: string) => failure.abort(lostPermit(governor, why));
      permits.set(vm, { id: permit.id, kept: keepPermit(address, permit, lost) });
      if (!over.signal.aborted) go();
    } catch (error) {
      if (!over.signal.aborted) failure.abort(error);
    }
  }

  /** Whoever holds the permit is known when the VMM runs: see `started`. */
  function wishOf(vm: number): PermitWish {
    const { pages, tenant } = machine.askOf(vm);
    const memoryMiB = Math.ceil(pages / PAGES_PER_MIB);
    return { key: `${round}-${vm}`, vm: `vm-${vm}`, tenant, memoryMiB };
  }

  return {
    request: (vm, go) => inBackground(ask(vm, go)),
    started(vm, pid) {
      const permit = permits.get(vm);
      const startTicks = startTicksOf(pid);
      if (permit === undefined || startTicks === undefined) return;
      const change = { holder: { pid, startTicks } };
      inBackground(renewPermit(address, { id: permit.id }, change, PATIENCE_MS));
    },
    finished(vm, { failed, latencyNs, cpuNs }: BootEnd) {
      const permit = permits.get(vm);
      permits.delete(vm);
      if (permit === undefined) return;
      const cpu = cpuNs === undefined ? {} : { cpuMs: cpuNs / 1e6 };
      const outcome = failed ? ("failed" as const) : ("ready" as const);
      const told = { outcome, bootMs: latencyNs / 1e6, ...cpu };
      inBackground(permit.kept.release(told, PATIENCE_MS));
    },
    failed: failure.signal,
    async close() {
      over.abort();
      // Of a round that was given up. What a foreign governor is not told now, the lease ends.
      for (const { kept } of permits.values()) {
        inBackground(kept.release({ outcome: "gave-up" }, GIVE_UP_LIMIT_MS));
      }
      await Promise.allSettled(pending);
      await governor.end();
    },
  };
}

/**
 * What a governor's daemon decides by, as it says itself.
 * @throws BootstormError NO_GOVERNOR
 */
export async function governorPolicy(socket: string): Promise<readonly PolicySpec[]> {
  try {
    return await policyOf({ kind: "socket", path: socket }, PATIENCE_MS);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    throw new BootstormError("NO_GOVERNOR", `--govern: no governor answers on ${socket}`, {
      why: error.message,
      remedies: [`start one: bootstorm govern --socket ${socket}`, "--govern has one of its own"],
      exit: EXIT.host,
    });
  }
}

const GIVE_UP_LIMIT_MS = 1_000;

function granted(found: Decision, { socketPath }: RunningGovernor) {
  if (found.kind === "granted") return found.permit;
  const why = found.kind === "none" ? found.why : `${found.refusal.message}: ${found.refusal.why}`;
  throw new BootstormError("NO_PERMIT", `the governor on ${socketPath} gives no permit`, {
    why,
    remedies: [
      "see whether it answers: bootstorm permit --deadline 5 -- true",
      "leave out --govern",
    ],
    exit: EXIT.host,
  });
}

function lostPermit({ socketPath }: RunningGovernor, why: string): BootstormError {
  return new BootstormError("PERMIT_LOST", `the governor on ${socketPath} has ended a permit`, {
    why: `its VM was not ready: ${why}`,
    remedies: ["lengthen lease.defaultMs of its configuration"],
    exit: EXIT.host,
  });
}
