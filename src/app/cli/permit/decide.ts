// Asks for a permit as a person wants it asked, and makes of every answer: go, or an error.
import { BootstormError, EXIT } from "../../../core/error.ts";
import { formatNs } from "../../../core/units.ts";
import { startTicksOf } from "../../../host/exec/start-time.ts";
import type { PermitSeen, WhenUnavailable } from "../../../host/governor/answer.ts";
import {
  type AskOptions,
  askForPermit,
  type Decision,
  type PermitWish,
} from "../../../host/governor/client.ts";
import { type GovernorAddress, placeWords } from "../../../host/governor/request.ts";
import type { Progress } from "../progress.ts";

export interface Asking {
  readonly address: GovernorAddress;
  readonly wish: PermitWish;
  readonly whenUnavailable: WhenUnavailable;
  readonly options: Pick<AskOptions, "deadlineMs" | "patienceMs">;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** `open`: nobody decided, and it may go all the same. */
export type Go =
  | { readonly decision: "granted"; readonly permit: PermitSeen }
  | { readonly decision: "open"; readonly why: string };

/** @throws BootstormError NO_PERMIT; the signal's reason when it aborted */
export async function decide(asking: Asking): Promise<Go> {
  const { address, wish } = asking;
  const found = await ask(asking, wish);
  switch (found.kind) {
    case "granted":
      return { decision: "granted", permit: found.permit };
    case "refused": {
      const { code, message, why, remedies } = found.refusal;
      throw noPermit(`${message} (${code}): ${why}`, remedies);
    }
    case "none": {
      const { why, whenUnavailable = asking.whenUnavailable } = found;
      const said = found.whenUnavailable === undefined ? "--when-unavailable" : "the governor";
      if (whenUnavailable === "open") {
        asking.progress.note(`no decision, it starts all the same (${said}: open): ${why}`);
        return { decision: "open", why };
      }
      throw noPermit(`no decision from ${placeWords(address)}: ${why}`, [
        `start one: bootstorm govern; nothing starts without it (${said}: closed)`,
        "to start all the same where nobody decides: --when-unavailable open",
      ]);
    }
  }
}

/** A governor that sees other processes than we do, as in a container, gets no holder. */
async function ask(asking: Asking, wish: PermitWish): Promise<Decision> {
  const { address, options, signal, progress } = asking;
  const onWait = (permit: PermitSeen) => progress.step(waitWords(permit));
  const found = await askForPermit(address, wish, { ...options, signal, onWait });
  const { holder, ...rest } = wish;
  if (found.kind !== "refused" || found.refusal.code !== "HOLDER_GONE" || holder === undefined) {
    return found;
  }
  if (startTicksOf(holder.pid) !== holder.startTicks) return found;
  progress.note(
    `the governor does not see process ${holder.pid}, as in another container: only its lease ends the permit`,
  );
  return ask(asking, rest);
}

function waitWords({ position, expectedWaitMs, why }: PermitSeen): string {
  const before = position === undefined ? "" : `, ${position} before it`;
  const expected =
    expectedWaitMs === undefined ? "" : `, about ${formatNs(expectedWaitMs * 1e6)} to go`;
  return `waits for a permit${before}${expected}: ${why}`;
}

function noPermit(why: string, remedies: readonly string[]): BootstormError {
  return new BootstormError("NO_PERMIT", "no permit to start", { why, remedies, exit: EXIT.host });
}
