// What a governor says, read at the border: it may be another program, or another version.
import type { PolicySpec } from "../../core/policy/policy.ts";
import { visible } from "../../core/report/plain-text.ts";
import { type GovernorAnswer, isRecord, NoAnswer } from "./request.ts";

/** A permit as the governor tells of it. */
export interface PermitSeen {
  readonly id: string;
  readonly state: "waiting" | "granted" | "ended";
  readonly waitedMs: number;
  /** Of one in force. */
  readonly leaseExpiresInMs?: number;
  /** Of a waiting one: how many go before it. */
  readonly position?: number;
  readonly expectedWaitMs?: number;
  /** In words for people. */
  readonly why: string;
}

/** The governor said no. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly why: string;
  readonly remedies: readonly string[];
}

export type WhenUnavailable = "open" | "closed";

const WORDS_MAX = 1000;
const POLICIES_MAX = 100;
const STATES = ["waiting", "granted", "ended"] as const;

/** @throws NoAnswer when there is none in it */
export function permitIn({ body }: GovernorAnswer): PermitSeen {
  const permit = isRecord(body.permit) ? body.permit : {};
  const { id, why } = permit;
  const state = STATES.find((each) => each === permit.state);
  const waitedMs = numberIn(permit.waitedMs);
  if (typeof id !== "string" || state === undefined || waitedMs === undefined) {
    throw new NoAnswer("what answers is no governor: it tells of no permit");
  }
  const leaseExpiresInMs = numberIn(permit.leaseExpiresInMs);
  const position = numberIn(permit.position);
  const expectedWaitMs = numberIn(permit.expectedWaitMs);
  return {
    id,
    state,
    waitedMs,
    ...(leaseExpiresInMs === undefined ? {} : { leaseExpiresInMs }),
    ...(position === undefined ? {} : { position }),
    ...(expectedWaitMs === undefined ? {} : { expectedWaitMs }),
    why: words(why),
  };
}

export function refusalIn({ status, body }: GovernorAnswer): Refusal {
  const error = isRecord(body.error) ? body.error : {};
  const remedies = Array.isArray(error.remedies) ? error.remedies.slice(0, 10) : [];
  return {
    code: words(error.code),
    message: words(error.message) || `it answers with status ${status}`,
    why: words(error.why),
    remedies: remedies.map(words).filter((each) => each !== ""),
  };
}

/** What a governor wants launchers to do that get no decision; undefined where it does not say. */
export function whenUnavailableIn({ body }: GovernorAnswer): WhenUnavailable | undefined {
  const { whenUnavailable } = body;
  return whenUnavailable === "open" || whenUnavailable === "closed" ? whenUnavailable : undefined;
}

/** @throws NoAnswer when there is none in it */
export function policyIn({ body }: GovernorAnswer): readonly PolicySpec[] {
  const configuration = isRecord(body.configuration) ? body.configuration : {};
  const { policy } = configuration;
  if (Array.isArray(policy) && policy.length <= POLICIES_MAX && policy.every(isPolicy)) {
    return policy;
  }
  throw new NoAnswer("what answers is no governor: it does not say what it decides by");
}

function isPolicy(value: unknown): value is PolicySpec {
  return isRecord(value) && typeof value.name === "string" && isRecord(value.options);
}

function numberIn(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 ? value : undefined;
}

/** It is shown on a terminal. */
function words(value: unknown): string {
  return typeof value === "string" ? visible(value.slice(0, WORDS_MAX)) : "";
}
