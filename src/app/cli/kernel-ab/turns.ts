// Which kernel boots when, and which no more. Pure.

/** A kernel in a guest of one size. */
export interface Turn {
  readonly arm: number;
  readonly vcpus: number;
}

/**
 * The boots of one repetition: at each size all arms in turn, in every other repetition back. Over two
 * repetitions each arm has the same mean place, so that a host that slowly changes favours none; and
 * boots that are compared are near each other.
 */
export function turnsOf(
  repetition: number,
  arms: readonly number[],
  vcpus: readonly number[],
): Turn[] {
  const order = repetition % 2 === 0 ? arms : arms.toReversed();
  return vcpus.flatMap((size) => order.map((arm) => ({ arm, vcpus: size })));
}

/** Which kernels still boot, at which size. */
export interface Trials {
  /** @returns where it is given up from now on */
  note(turn: Turn, isOfUse: boolean): "here" | "everywhere" | undefined;
  isGivenUp(turn: Turn): boolean;
  /** Kernels of each size that still boot; the base, where it does, first. */
  left(): readonly (readonly number[])[];
}

/** In a row, at one size. One boot may fail by chance. */
const FAILURES_MAX = 2;

/**
 * An arm is given up at a size where it has failed twice in a row, and everywhere once its first boot
 * at every size has failed: a kernel that hangs takes as long as it may, each time.
 */
export function createTrials(arms: number, vcpus: readonly number[]): Trials {
  const boots = new Map<string, { failedInRow: number; everOfUse: boolean }>();
  const of = ({ arm, vcpus }: Turn) => {
    const key = `${arm} ${vcpus}`;
    const known = boots.get(key) ?? { failedInRow: 0, everOfUse: false };
    boots.set(key, known);
    return known;
  };
  const failsEverywhere = (arm: number) =>
    vcpus.every((size) => {
      const { failedInRow, everOfUse } = of({ arm, vcpus: size });
      return failedInRow > 0 && !everOfUse;
    });
  const isGivenUp = (turn: Turn) =>
    of(turn).failedInRow >= FAILURES_MAX || failsEverywhere(turn.arm);
  return {
    note(turn, isOfUse) {
      const before = isGivenUp(turn);
      const known = of(turn);
      known.failedInRow = isOfUse ? 0 : known.failedInRow + 1;
      known.everOfUse ||= isOfUse;
      if (before || !isGivenUp(turn)) return undefined;
      return vcpus.every((size) => isGivenUp({ ...turn, vcpus: size })) ? "everywhere" : "here";
    },
    isGivenUp,
    left: () =>
      vcpus.map((size) =>
        Array.from({ length: arms }, (_, arm) => arm).filter(
          (arm) => !isGivenUp({ arm, vcpus: size }),
        ),
      ),
  };
}

/** How often all is repeated. */
export type Repetitions =
  | { readonly kind: "exactly"; readonly count: number }
  | {
      readonly kind: "until-tight";
      /** Before it, no difference could be shown. */
      readonly least: number;
      readonly most: number;
      /** For warm-ups and all repetitions. */
      readonly budgetMs: number;
    };

/** Where a run stands after some repetitions. */
export interface Standing {
  readonly repetitions: number;
  readonly elapsedMs: number;
  /** The longest repetition. */
  readonly longestMs: number;
  /** No two kernels are left to compare. */
  readonly isAlone: boolean;
  /** No kernel is left at all. */
  readonly isIdle: boolean;
  isTight(): boolean;
}

/**
 * Does another repetition follow? They come in twos, turn and back. The first two are always made, and
 * none is begun that would not end in time, to judge by the longest.
 */
export function goesOn(rule: Repetitions, at: Standing): boolean {
  if (at.isIdle) return false;
  if (rule.kind === "exactly") return at.repetitions < rule.count;
  if (at.repetitions < 2 || at.repetitions % 2 === 1) return true;
  if (at.isAlone || at.repetitions >= rule.most) return false;
  if (at.elapsedMs + 2 * at.longestMs > rule.budgetMs) return false;
  return at.repetitions < rule.least || !at.isTight();
}
