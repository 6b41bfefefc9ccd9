import { CODE } from "../program.ts";
import { stormLocks } from "../storm-path.ts";
import { pathOf, workNs } from "./guest-path.ts";
import type { GuestStormSetup } from "./guest-storm.ts";

/**
 * Operations that a guest's threads may do as one, for as many events less:
 * - Where no thread meets another: many, which is exact.
 * - Where they meet at an unfair lock only: as many as fit into a small part of a turn. The lock stays
 *   with those that run, so how much is lost depends on turns, not on how short operations are.
 * - Else each is done by itself: who waits in a queue, or for answers, does so once an operation.
 */
export function operationsAtOnce({
  design,
  costs,
  entry,
  outsideNs,
  spinlock,
}: Omit<GuestStormSetup, "atOnce">): number {
  const path = pathOf(design, costs, entry, outsideNs);
  const { code, arg } = path;
  if (code.includes(CODE.flush)) return 1;
  const locks = stormLocks(design);
  const meets = code.some((each, pc) => each === CODE.lock && locks[arg[pc]!]!.scope !== "pmd");
  if (!meets) return MANY;
  if (spinlock === "queued") return 1;
  return Math.max(1, Math.floor(costs.timeSlice / MANY_A_TURN / workNs(path)));
}

const MANY = 64;
/** Of what is small beside a turn. */
const MANY_A_TURN = 200;
