/**
 * A policy says when a guest may go on: when a VM may start to boot, when an exit with page state
 * changes may be carried out. It has no clock; every call brings the time, in integer ns after any
 * fixed origin, never earlier than the call before.
 *
 * Each ask is decided once and let go once: `decide` admits it, or it waits and comes out of
 * `ready`. A caller needs one timer and one loop:
 *
 *     if (policy.decide(ask, now) === ADMIT) go(ask.id);      // otherwise it waits
 *     // when wakeNs() has come, and after every release, leave and observe:
 *     for (let g = policy.ready(now); g !== undefined; g = policy.ready(now)) go(g.id);
 *     setTimer(policy.wakeNs());                              // NEVER: no timer
 *
 * Calling late is safe: nothing exceeds its burst or cap by it. The simulator, the tests and the
 * daemon run these same objects.
 */
export interface Policy {
  readonly name: string;

  /** @param ask  not kept: the caller may use the object again */
  decide(ask: Ask, nowNs: number): Decision;

  /** One waiting ask that may go now, in the order they may go; undefined: none. */
  ready(nowNs: number): Grant | undefined;

  /**
   * When to call `ready` next, a time past included; NEVER while only a release, leave or observe
   * can let anyone go.
   */
  wakeNs(): number;

  /**
   * An admitted boot is ready, or has failed; `observe` it first, while it counts as in service.
   * Ids that are not in service are ignored.
   */
  release(id: number, nowNs: number): void;

  /**
   * A waiting ask waits no longer. `gave-up`: as if it had never asked. `went-ahead`: it goes on
   * all the same, and is charged for what it takes. Ids that do not wait are ignored.
   */
  leave(id: number, how: "gave-up" | "went-ahead", nowNs: number): void;

  /** What was measured. Policies ignore the kinds they do not steer by. */
  observe(sample: Sample, nowNs: number): void;

  /** What a guest is told to accept at boot: its own plan, or a smaller one. */
  plan(guest: GuestPlan): GuestPlan;

  /** Numbers to show and to draw, with their units in their names: `cap`, `inService`, `waiting`. */
  gauges(): Readonly<Record<string, number>>;

  /** Everything a later `restore` needs, as JSON. */
  snapshot(): PolicyState;

  /**
   * Puts a freshly made policy of the same options into that state: from then on it decides as the
   * other would have.
   * @throws BootstormError POLICY_STATE when the state is of another policy or a later version
   */
  restore(state: PolicyState): void;
}

export interface Ask {
  /** Unique among the asks that wait and the boots in service. An integer of at least 0. */
  readonly id: number;
  readonly kind: AskKind;
  readonly vm: number;
  readonly tenant: number;
  /** `psc`: 4 KiB pages of this exit, 1..PAGES_PER_ASK_MAX. `boot`: pages of the guest. */
  readonly pages: number;
  /** Higher goes first among boots; 0 when nobody says otherwise. */
  readonly priority: number;
}

/** `boot`: a VM wants to start. `psc`: an exit asks for page state changes. */
export type AskKind = "boot" | "psc";

/**
 * 32 GiB in one exit; a GHCB carries at most 253 entries of 2 MiB (129,536 pages). Up to here
 * pages × 10⁹ is exact in a double.
 */
export const PAGES_PER_ASK_MAX = 2 ** 23;

/** The R10 limit: a guest keeps its interrupts off during a PSC, soft lockups start at 20 s. */
export const PSC_DELAY_MAX_MS = 100;

export type Decision = Admit | Delay;

export interface Admit {
  readonly kind: "admit";
}

/** The ask waits, and comes out of `ready`. */
export interface Delay {
  readonly kind: "delay";
  /** It cannot go earlier unless something is released or leaves; NEVER: nobody can say. */
  readonly untilNs: number;
  readonly reason: Reason;
}

/** The one Admit there is: compare with `===`. */
export const ADMIT: Admit = { kind: "admit" };

/** No time at all; an integer, and later than every time. */
export const NEVER: number = Number.MAX_SAFE_INTEGER;

/** Why an ask waits. Whoever shows it finds the words. */
export type Reason =
  /** A bucket has too few pages. `of` is the index of the VM or tenant, absent for the host. */
  | { readonly rule: "rate"; readonly scope: Scope; readonly pagesPerSecond: number }
  /** Others wait before it: `ahead` of them. */
  | { readonly rule: "turn"; readonly scope: Scope; readonly ahead: number }
  /** As many boots are in service as may be. `because` says what set an adaptive cap last. */
  | {
      readonly rule: "cap";
      readonly inService: number;
      readonly cap: number;
      readonly ahead: number;
      readonly because: CapCause;
    };

export type Scope = "vm" | "tenant" | "host";

/** What a cap is due to: the value seen and the limit it was held against. */
export type CapCause =
  | { readonly kind: "configured" }
  | { readonly kind: "start" }
  | {
      readonly kind: "boot-time" | "boot-failed" | "queue-time" | "lock-wait" | "room";
      readonly seen: number;
      readonly limit: number;
    }
  /** So many CPUs; no more boots can work at a time. */
  | { readonly kind: "cpus"; readonly cpus: number }
  /** Means of a boot, `least` of those with few beside them; `limit` is so many times that. */
  | {
      readonly kind: "boot-work" | "boot-queue";
      readonly seenNs: number;
      readonly leastNs: number;
      readonly limit: number;
    }
  /** Raised: this share of all CPUs was idle. */
  | { readonly kind: "idle-cpus"; readonly share: number }
  /** Raised: about so many threads of others compete for the CPUs. */
  | { readonly kind: "neighbours"; readonly threads: number }
  /** Lowered for a while, to see what a boot takes with few beside it. */
  | { readonly kind: "measuring" };

export interface Grant {
  readonly id: number;
  /** Let go by the bound on the delay of a PSC, not by the rule it waited for. */
  readonly forced: boolean;
}

export type Sample =
  /**
   * A boot ended. `latencyNs`: from admission to ready. `cpuNs`: the CPU time that its VM and VMM took
   * meanwhile, spinning included; `pages`: of the guest's memory; both absent where nobody told.
   */
  | {
      readonly kind: "boot-finished";
      readonly latencyNs: number;
      readonly failed: boolean;
      readonly cpuNs?: number;
      readonly pages?: number;
    }
  /**
   * How the host used its CPUs since the last sample of this kind. Shares are of all CPUs together,
   * 0..1. `bootShare`: used by the boots in service; absent where nobody can tell. `bootWeight`: of
   * each of them for the scheduler, as a multiple of what others have; 1 where it is absent.
   */
  | {
      readonly kind: "host-cpu";
      readonly cpus: number;
      readonly idleShare: number;
      readonly bootShare?: number;
      readonly bootWeight?: number;
    }
  /** The mean wait in front of the bottleneck (PSP, lock), of the visits since the last sample. */
  | { readonly kind: "queue-time"; readonly waitNs: number }
  /** The share of the time of boots in service that was spent waiting for locks, 0..1. */
  | { readonly kind: "lock-wait"; readonly share: number };

export interface GuestPlan {
  readonly memoryPages: number;
  /** Pages that are accepted before the guest is ready. */
  readonly acceptPages: number;
}

/** JSON. `version` is that of the policy's own state. */
export interface PolicyState {
  readonly policy: string;
  readonly version: number;
  readonly [key: string]: Json;
}

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** A policy as a scenario or a configuration names it. Options not given have their defaults. */
export interface PolicySpec {
  readonly name: string;
  readonly options: PolicyOptions;
}

export type PolicyOptions = Readonly<Record<string, OptionValue>>;

export type OptionValue = number | string | boolean | readonly PolicyOptions[];
