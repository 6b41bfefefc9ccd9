// Signs of life of a guest, as they come in: bytes of a debug port and text of a console.
import type { Milestone, MilestoneSeen, MilestoneSource } from "../../core/event/boot.ts";

/** Milestones that a guest can tell of. */
export type GuestMilestone = Extract<Milestone, "firmware" | "kernel" | "init" | "ready">;

/** A sign of life; `guestNs` is the guest's own clock, where it gave one. */
export interface Sign {
  readonly milestone: GuestMilestone;
  readonly guestNs?: number;
}

/**
 * What a byte on the debug port means. `i` and `r` are ours. 0x40 and 0x41 are written by Cloud
 * Hypervisor's kernel when it starts and before it runs init (docs/debug-port.md there), 6 and 7 by
 * that of qemu-boot-time (benchmark.h there: LINUX_START_KERNEL, LINUX_START_USER).
 */
const DEBUG_PORT_CODES: Readonly<Record<number, GuestMilestone>> = {
  105: "init",
  114: "ready",
  64: "kernel",
  65: "init",
  6: "kernel",
  7: "init",
};

/** The milestones that these bytes of the debug port tell of, in their order. */
export function debugPortSigns(bytes: Uint8Array): Sign[] {
  const signs: Sign[] = [];
  for (const byte of bytes) {
    const milestone = DEBUG_PORT_CODES[byte];
    if (milestone !== undefined) signs.push({ milestone });
  }
  return signs;
}

/** What was seen of one VM. */
export interface Sightings {
  readonly seen: Readonly<Partial<Record<Milestone, MilestoneSeen>>>;
  /**
   * Notes a milestone. Who tells first gives its time and source; who tells later may add the
   * guest's clock.
   * @returns the sighting when it is the first one
   */
  note(
    milestone: Milestone,
    source: MilestoneSource,
    atNs: number,
    guestNs?: number,
  ): MilestoneSeen | undefined;
}

export function createSightings(): Sightings {
  const seen: Partial<Record<Milestone, MilestoneSeen>> = {};
  return {
    seen,
    note(milestone, source, atNs, guestNs) {
      const clock = guestNs === undefined ? {} : { guestNs };
      const before = seen[milestone];
      seen[milestone] = before === undefined ? { atNs, source, ...clock } : { ...clock, ...before };
      return before === undefined ? seen[milestone] : undefined;
    },
  };
}
