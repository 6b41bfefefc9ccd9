import type { Json, PolicySpec, PolicyState, Reason, Sample } from "../policy/policy.ts";

/** The right to have one boot in service: waiting → granted → ended, or waiting → ended. */
export interface Permit {
  readonly ask: PermitAsk;
  readonly state: "waiting" | "granted" | "ended";
  readonly askedNs: number;
  /** From a renewal on, another than was asked for. */
  readonly leaseNs: number;
  readonly grantedNs?: number;
  /** While granted: when it ends unless it is renewed. */
  readonly leaseEndsNs?: number;
  readonly endedNs?: number;
  readonly how?: EndOfPermit;
  /** Why it had to wait, as the policy said when it asked; absent when it had not. */
  readonly reason?: Reason;
}

/** What a launcher asks for. Times are on the ledger's clock. */
export interface PermitAsk {
  /** Unique and rising: who has the lower number came first. */
  readonly id: number;
  /** Chosen by the launcher: the same key means the same permit. */
  readonly key: string;
  readonly vm: string;
  readonly tenant: number;
  /** Higher goes first. */
  readonly priority: number;
  readonly leaseNs: number;
  /** It gives up when it still waits then. */
  readonly deadlineNs?: number;
  readonly memoryMiB?: number;
  readonly vcpus?: number;
  /** The permit ends when this process does. */
  readonly holder?: Holder;
}

/** A process: its number and when it started, in clock ticks since boot. */
export interface Holder {
  readonly pid: number;
  readonly startTicks: string;
}

/**
 * `released`: the launcher said so. `expired`: not renewed in time. `gave-up`: the launcher went away
 * or its deadline passed. `launcher-died`: its process is gone.
 */
export type EndOfPermit = "released" | "expired" | "gave-up" | "launcher-died";

export const ENDS_OF_PERMITS: readonly EndOfPermit[] = [
  "released",
  "expired",
  "gave-up",
  "launcher-died",
];

/** How a boot went, in the words of the launcher. */
export interface BootOutcome {
  readonly failed: boolean;
  /** From start to ready; absent: from grant to release. */
  readonly bootNs?: number;
  readonly cpuNs?: number;
}

/**
 * All that changes a ledger, in the order in which it happened; folding the events of a ledger gives
 * the ledger. They are its journal and its history.
 */
export type PermitEvent =
  | { readonly kind: "asked"; readonly atNs: number; readonly ask: PermitAsk }
  /** `cap`: as many may be in force at that moment; absent where the policy has no cap. */
  | {
      readonly kind: "granted";
      readonly atNs: number;
      readonly id: number;
      readonly cap?: number;
    }
  | {
      readonly kind: "renewed";
      readonly atNs: number;
      readonly id: number;
      readonly leaseNs: number;
      /** Another process holds it from now on; absent: the same as before. */
      readonly holder?: Holder;
    }
  | {
      readonly kind: "ended";
      readonly atNs: number;
      readonly id: number;
      readonly how: EndOfPermit;
      readonly outcome?: BootOutcome;
    }
  /** A measurement that the policy was told. */
  | { readonly kind: "observed"; readonly atNs: number; readonly sample: Sample }
  /** The policy was exchanged. */
  | { readonly kind: "policy-set"; readonly atNs: number; readonly policy: readonly PolicySpec[] }
  /** The ledger was opened, by a daemon that starts. */
  | { readonly kind: "opened"; readonly atNs: number };

/** Everything that a later ledger needs, as JSON. */
export interface LedgerState {
  readonly nextId: number;
  /** Nothing is granted before. */
  readonly heldUntilNs: number;
  /** Waiting permits that the policy has not been asked about, because all are held. */
  readonly held: readonly number[];
  readonly policy: readonly PolicySpec[];
  /** Undefined: the policy is to be made afresh. */
  readonly policyState?: PolicyState;
  /** Mean time in service of the last boots, ns; absent before the first. */
  readonly serviceNs?: number;
  /** Waiting and granted ones, by id. */
  readonly live: readonly Permit[];
  /** The last that ended, oldest first. */
  readonly ended: readonly Permit[];
}

/** Numbers to show; policies name theirs with units. */
export interface LedgerGauges {
  readonly waiting: number;
  readonly inForce: number;
  /** The lowest cap of the policies; absent where none has one. */
  readonly cap?: number;
  readonly policy: Readonly<Record<string, Json>>;
}
