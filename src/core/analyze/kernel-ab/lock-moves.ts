// Where the waiting of the base goes when its lock is gone: to nowhere, or to the next lock.
import { isSamePlace } from "./gains.ts";
import type { KernelAbResult, LoadPlace, LockPoint } from "./result.ts";

/** What became of the lock that the base waits for most, in another arm. Times are a boot's. */
export interface LockMove extends LoadPlace {
  readonly arm: number;
  readonly from: string;
  readonly fromNsBase: number;
  readonly fromNs: number;
  /** The lock that is waited for instead; absent where none is, to speak of. */
  readonly to?: string;
  /** What was waited for it in the base. */
  readonly toNsBase?: number;
  readonly toNs?: number;
}

/** Of the base's wait, what makes a lock one that is waited for. */
const SPEAK_OF = 0.1;

/** For each load, of every arm that hardly waits for the lock that the base waits for most. */
export function lockMoves({ locks }: Pick<KernelAbResult, "locks">): readonly LockMove[] {
  return locks
    .filter(({ arm }) => arm !== 0)
    .flatMap((point) => {
      const base = locks.find((each) => each.arm === 0 && isSamePlace(each, point));
      const [most] = base?.locks ?? [];
      if (base === undefined || most === undefined) return [];
      const fromNsBase = waitNsOf(base, most.name);
      const fromNs = waitNsOf(point, most.name);
      if (fromNsBase === 0 || fromNs > SPEAK_OF * fromNsBase) return [];
      const next = point.locks
        .map(({ name }) => name)
        .find((name) => waitNsOf(point, name) >= SPEAK_OF * fromNsBase);
      const { arm, load, vcpus, threads } = point;
      return [
        {
          arm,
          load,
          vcpus,
          threads,
          from: most.name,
          fromNsBase,
          fromNs,
          ...(next !== undefined && {
            to: next,
            toNsBase: waitNsOf(base, next),
            toNs: waitNsOf(point, next),
          }),
        },
      ];
    });
}

/** Of an average boot; 0 where nobody waited, or the lock was not taken. */
export function waitNsOf({ locks, boots }: LockPoint, name: string): number {
  const own = locks.find((lock) => lock.name === name);
  return own === undefined ? 0 : own.waitNsTotal / Math.max(1, boots);
}
