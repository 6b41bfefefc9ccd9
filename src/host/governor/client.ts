// A launcher's side of the governor: ask for a permit, keep it while the VM boots, give it back.
import { setTimeout as wait } from "node:timers/promises";
import type { PolicySpec } from "../../core/policy/policy.ts";
import {
  type PermitSeen,
  permitIn,
  policyIn,
  type Refusal,
  refusalIn,
  type WhenUnavailable,
  whenUnavailableIn,
} from "./answer.ts";
import { type GovernorAddress, type GovernorAnswer, NoAnswer, send } from "./request.ts";

/** What is asked for; the fields of `POST /v1/permits` (docs/govern.md). */
export interface PermitWish {
  /** Unique: the same key stands for the same permit. */
  readonly key: string;
  readonly vm: string;
  readonly tenant?: number;
  readonly priority?: number;
  readonly memoryMiB?: number;
  readonly vcpus?: number;
  readonly leaseMs?: number;
  /** The permit ends when this process does. */
  readonly holder?: Holder;
}

/** A process of this host: its number and field 22 of /proc/PID/stat. */
export interface Holder {
  readonly pid: number;
  readonly startTicks: string;
}

export interface AskOptions {
  /** Aborting it gives up: the place in the queue is left. */
  readonly signal: AbortSignal;
  /** No longer than this; absent: as long as it takes. */
  readonly deadlineMs?: number;
  /** How long nobody may answer until that counts as no decision. */
  readonly patienceMs: number;
  /** Called when it is seen that the permit waits, every few seconds. */
  onWait?(permit: PermitSeen): void;
}

export type Decision =
  | { readonly kind: "granted"; readonly permit: PermitSeen }
  /** The governor decided, and it is no. */
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Nobody decided. `whenUnavailable`: what the governor itself wants done then, if it said so. */
  | {
      readonly kind: "none";
      readonly why: string;
      readonly whenUnavailable?: WhenUnavailable;
    };

/** How a boot went. Of `unknown` no policy learns. */
export interface Outcome {
  readonly outcome: "ready" | "failed" | "unknown" | "gave-up";
  /** From start to ready. */
  readonly bootMs?: number;
  /** CPU time of the VM and its VMM meanwhile. */
  readonly cpuMs?: number;
}

/** What is no long poll is answered at once: beyond this the governor hangs. */
const ANSWER_LIMIT_MS = 5_000;
/** Position and expected wait are asked for as often, and whether anybody is there at all. */
const LOOK_EVERY_MS = 10_000;
/** Who gives up is not kept for long by a governor that hangs. */
const GIVE_UP_LIMIT_MS = 500;
const RETRY_MS = 100;
const RETRY_MS_MAX = 1_000;

/** These are decisions; every other error is the lack of one. */
const REFUSALS = ["DEADLINE_PASSED", "QUEUE_FULL", "PERMIT_ENDED", "HOLDER_GONE"];

/**
 * Asks until there is a decision, with the same key each time: a connection that breaks and a
 * governor that starts anew lose nothing.
 * @throws the signal's reason when it aborted
 */
export async function askForPermit(
  address: GovernorAddress,
  wish: PermitWish,
  { signal, deadlineMs = Number.POSITIVE_INFINITY, patienceMs, onWait }: AskOptions,
): Promise<Decision> {
  const startMs = performance.now();
  let isWaiting = false;
  /** Since when nobody answers; undefined: somebody does. */
  let silentSinceMs: number | undefined = startMs;
  let retryMs = RETRY_MS;
  let told: WhenUnavailable | undefined;
  const onAnswer = (permit: PermitSeen) => {
    isWaiting = true;
    silentSinceMs = undefined;
    retryMs = RETRY_MS;
    onWait?.(permit);
  };
  try {
    for (;;) {
      const leftMs = Math.max(1, startMs + deadlineMs - performance.now());
      const attempt = { signal, leftMs, patienceMs, onWait: onAnswer };
      const found = await askOnce(address, wish, attempt).catch(noAnswerOrThrow);
      if (!(found instanceof NoAnswer)) return found;
      if (found instanceof Unavailable) told = found.whenUnavailable ?? told;
      const nowMs = performance.now();
      silentSinceMs ??= nowMs;
      const patienceLeftMs = Math.min(silentSinceMs + patienceMs, startMs + deadlineMs) - nowMs;
      if (found.isLasting || patienceLeftMs <= 0) {
        const unavailable = told === undefined ? {} : { whenUnavailable: told };
        return { kind: "none", why: found.message, ...unavailable };
      }
      await pause(Math.min(retryMs, patienceLeftMs), signal);
      retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
    }
  } catch (error) {
    // It may have been granted just now, and would stay in force for a lease.
    if (isWaiting) await releasePermit(address, wish, { outcome: "gave-up" }, GIVE_UP_LIMIT_MS);
    throw error;
  }
}

interface Attempt extends Pick<AskOptions, "signal" | "patienceMs"> {
  readonly leftMs: number;
  onWait(permit: PermitSeen): void;
}

/** @throws NoAnswer when there is no decision; the signal's reason when it aborted */
async function askOnce(
  address: GovernorAddress,
  wish: PermitWish,
  { signal, leftMs, patienceMs, onWait }: Attempt,
): Promise<Decision> {
  const answerLimitMs = Math.min(ANSWER_LIMIT_MS, Math.max(patienceMs, RETRY_MS));
  const isLimited = Number.isFinite(leftMs);
  const body = { ...wish, ...(isLimited ? { deadlineMs: Math.ceil(leftMs) } : {}) };
  const post = { method: "POST", path: "/v1/permits" } as const;
  // Answered at once, so that somebody who hangs is told from a queue that is long.
  const first = await send(address, {
    ...post,
    body: { ...body, wait: false },
    limitMs: answerLimitMs,
    signal,
  });
  if (first.status !== 202) return decisionOf(first);
  const permit = permitIn(first);
  onWait(permit);
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  const pollLimit = isLimited ? { limitMs: Math.ceil(leftMs) + answerLimitMs } : {};
  const poll = send(address, { ...post, body, ...pollLimit, signal: both });
  const looks = lookOn(address, permit.id, { limitMs: answerLimitMs, signal: both, onWait });
  try {
    return decisionOf(await Promise.race([poll, looks]));
  } finally {
    over.abort();
    await Promise.allSettled([poll, looks]);
  }
}

/** Looks at a permit that waits, now and then. Never resolves. @throws as `send` */
async function lookOn(
  address: GovernorAddress,
  id: string,
  { limitMs, signal, onWait }: Pick<Attempt, "signal" | "onWait"> & { readonly limitMs: number },
): Promise<never> {
  const path = `/v1/permits/${encodeURIComponent(id)}`;
  for (;;) {
    await pause(LOOK_EVERY_MS, signal);
    const answer = await send(address, { method: "GET", path, limitMs, signal });
    if (answer.status === 202) onWait(permitIn(answer));
  }
}

/** @throws NoAnswer when it is none */
function decisionOf(answer: GovernorAnswer): Decision {
  if (answer.status === 200) return { kind: "granted", permit: permitIn(answer) };
  const refusal = refusalIn(answer);
  if (REFUSALS.includes(refusal.code)) return { kind: "refused", refusal };
  throw new Unavailable(answer);
}

/** It answers, and neither yes nor no. */
class Unavailable extends NoAnswer {
  readonly whenUnavailable: WhenUnavailable | undefined;

  constructor(answer: GovernorAnswer) {
    const { message, why } = refusalIn(answer);
    // What it says of our request (4xx) it will say again.
    super(why === "" ? message : `${message}: ${why}`, { isLasting: answer.status < 500 });
    this.whenUnavailable = whenUnavailableIn(answer);
  }
}

/** A permit in force. */
export interface KeptPermit {
  /** Gives it back. @returns whether the governor has heard it; if not, the lease ends it */
  release(outcome: Outcome, limitMs: number): Promise<boolean>;
  /** Renews it no more; it ends with its holder or its lease. */
  leave(): void;
}

/** A permit by the key it was asked for with, or by the ID it was given. */
export type PermitName = { readonly key: string } | { readonly id: string };

/**
 * Renews a permit, each time a third of its lease is over, until it is released or left. That alone
 * keeps no process alive.
 * @param onLost  the governor says that it is over, and why
 */
export function keepPermit(
  address: GovernorAddress,
  { id, leaseExpiresInMs = 0 }: PermitSeen,
  onLost: (why: string) => void,
): KeptPermit {
  const everyMs = Math.max(RETRY_MS, leaseExpiresInMs / 3);
  const over = new AbortController();

  async function renew(): Promise<void> {
    for (let waitMs = everyMs; ; ) {
      await pause(waitMs, over.signal, { ref: false });
      const answer = await post(address, { id }, "renew", {}, over.signal).catch(noAnswerOrThrow);
      if (answer instanceof NoAnswer || answer.status >= 500) {
        waitMs = Math.min(everyMs, RETRY_MS_MAX);
      } else if (answer.status === 200) {
        waitMs = everyMs;
      } else {
        onLost(refusalIn(answer).why);
        return;
      }
    }
  }

  renew().catch(ignoreAbort(over.signal));
  return {
    release(outcome, limitMs) {
      over.abort();
      return releasePermit(address, { id }, outcome, limitMs);
    },
    leave: () => over.abort(),
  };
}

/**
 * The lease of a permit in force begins anew, as long as it says, with that holder from now on.
 * @returns whether it is in force
 */
export function renewPermit(
  address: GovernorAddress,
  name: PermitName,
  change: Pick<PermitWish, "holder" | "leaseMs">,
  limitMs: number,
): Promise<boolean> {
  return insist(address, name, "renew", change, limitMs);
}

/**
 * Gives a permit back; one that is over stays over.
 * @returns whether the governor has heard it
 */
export function releasePermit(
  address: GovernorAddress,
  name: PermitName,
  outcome: Outcome,
  limitMs: number,
): Promise<boolean> {
  return insist(address, name, "release", outcome, limitMs);
}

/**
 * The policies it decides by now.
 * @throws NoAnswer
 */
export async function policyOf(
  address: GovernorAddress,
  limitMs: number,
): Promise<readonly PolicySpec[]> {
  const { signal } = new AbortController();
  return policyIn(await send(address, { method: "GET", path: "/v1/state", limitMs, signal }));
}

function post(
  address: GovernorAddress,
  name: PermitName,
  verb: "renew" | "release",
  body: unknown,
  signal: AbortSignal,
): Promise<GovernorAnswer> {
  const which = "id" in name ? encodeURIComponent(name.id) : `key=${encodeURIComponent(name.key)}`;
  const path = `/v1/permits/${which}/${verb}`;
  return send(address, { method: "POST", path, body, limitMs: ANSWER_LIMIT_MS, signal });
}

/** Says it until the governor has heard it, or the limit is over. @returns whether it agreed */
async function insist(
  address: GovernorAddress,
  name: PermitName,
  verb: "renew" | "release",
  body: unknown,
  limitMs: number,
): Promise<boolean> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    for (;;) {
      const answer = await post(address, name, verb, body, limit).catch(noAnswerOrThrow);
      if (answer instanceof NoAnswer ? answer.isLasting : answer.status < 500) {
        return !(answer instanceof NoAnswer) && answer.status === 200;
      }
      await pause(RETRY_MS, limit);
    }
  } catch (error) {
    ignoreAbort(limit)(error);
    return false;
  }
}

async function pause(ms: number, signal: AbortSignal, { ref = true } = {}): Promise<void> {
  try {
    await wait(Math.max(0, ms), undefined, { signal: AbortSignal.any([signal]), ref });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

function noAnswerOrThrow(error: unknown): NoAnswer {
  if (error instanceof NoAnswer) return error;
  throw error;
}

function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}
