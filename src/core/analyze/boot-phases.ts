import { assert } from "../assert.ts";
import { type BootRecord, MILESTONES, type Milestone } from "../event/boot.ts";

/**
 * What a boot does between two milestones that follow each other. `queue`: the policy lets it wait.
 * `spawn`: its VMM's process is made. `vmm`: that starts up; confidential memory is measured here.
 * `resume`: until the vCPUs are let go. `entry`: until the firmware shows itself. `firmware`: until the
 * kernel does. `kernel`: until the first process. `userspace`: until ready.
 */
export const BOOT_PHASES = [
  { name: "queue", from: "requested", to: "admitted" },
  { name: "spawn", from: "admitted", to: "spawned" },
  { name: "vmm", from: "spawned", to: "vmmReady" },
  { name: "resume", from: "vmmReady", to: "resumed" },
  { name: "entry", from: "resumed", to: "firmware" },
  { name: "firmware", from: "firmware", to: "kernel" },
  { name: "kernel", from: "kernel", to: "init" },
  { name: "userspace", from: "init", to: "ready" },
] as const satisfies readonly { name: string; from: Milestone; to: Milestone }[];

/** A time between two milestones of one boot. */
export interface BootPhase {
  /** One of BOOT_PHASES; several joined by `+` where the milestones between were not seen. */
  readonly name: string;
  readonly fromNs: number;
  readonly toNs: number;
}

const PASSED = MILESTONES.filter((milestone) => milestone !== "exited");

/**
 * The phases of a boot, from its request to ready, or to the last milestone that it passed. They
 * follow each other without a gap.
 */
export function phasesOf(boot: BootRecord): BootPhase[] {
  const passed = milestonesInOrder(boot);
  return passed.slice(1).map((milestone, i) => ({
    name: phaseName(passed[i]!, milestone),
    fromNs: boot.seen[passed[i]!]!.atNs,
    toNs: boot.seen[milestone]!.atNs,
  }));
}

/**
 * Milestones up to ready that were seen, without those told earlier than one before them: sources
 * differ by some ms, and a phase has no negative length.
 */
export function milestonesInOrder({ seen }: BootRecord): Milestone[] {
  let latest = Number.NEGATIVE_INFINITY;
  return PASSED.filter((milestone) => {
    const at = seen[milestone]?.atNs;
    // The boot is over when it is ready, whatever is told late.
    if (at === undefined || at < latest || at > (seen.ready?.atNs ?? at)) return false;
    latest = at;
    return true;
  });
}

/** True when a milestone was told out of order, and not used. */
export function isOutOfOrder(boot: BootRecord): boolean {
  const seen = PASSED.filter((milestone) => boot.seen[milestone] !== undefined);
  return milestonesInOrder(boot).length < seen.length;
}

/** From admitted to ready. @param boot  one that got ready */
export function serviceNs({ seen }: BootRecord): number {
  assert(seen.ready !== undefined && seen.admitted !== undefined, "a ready boot has its times");
  return seen.ready.atNs - seen.admitted.atNs;
}

/** From requested to ready. @param boot  one that got ready */
export function sinceRequestNs({ seen }: BootRecord): number {
  assert(seen.ready !== undefined && seen.requested !== undefined, "a ready boot has its times");
  return seen.ready.atNs - seen.requested.atNs;
}

export function isReady({ outcome }: BootRecord): boolean {
  return outcome === "ready";
}

/**
 * Those items that are alike in the way that most are, so that means over them are means of the same
 * thing; the order is kept. Of ways that are equally frequent, the one that comes first by its key.
 */
export function mostAlike<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  const [top] = [...counts].sort(([a, manyA], [b, manyB]) => manyB - manyA || (a < b ? -1 : 1));
  return items.filter((item) => keyOf(item) === top![0]);
}

function phaseName(from: Milestone, to: Milestone): string {
  const first = BOOT_PHASES.findIndex((phase) => phase.from === from);
  const last = BOOT_PHASES.findIndex((phase) => phase.to === to);
  return BOOT_PHASES.slice(first, last + 1)
    .map(({ name }) => name)
    .join("+");
}
