import type { Design } from "../design.ts";
import { fix202607 } from "./fix-2026-07.ts";
import { linux2627 } from "./linux-2.6.27.ts";
import { linux2628 } from "./linux-2.6.28.ts";
import { linux2628NoCpaLock } from "./linux-2.6.28-no-cpa-lock.ts";
import { linux420 } from "./linux-4.20.ts";
import { linux615 } from "./linux-6.15.ts";
import { linux615NoCpaLock } from "./linux-6.15-no-cpa-lock.ts";
import { linux73 } from "./linux-7.3.ts";
import { linux73NoCpaLock } from "./linux-7.3-no-cpa-lock.ts";
import { linux73ReadOverFlush } from "./linux-7.3-read-over-flush.ts";
import { MUTANTS } from "./mutants.ts";
import { noCpaLock } from "./no-cpa-lock.ts";
import { perPmdLock } from "./per-pmd-lock.ts";
import { perPmdSplitOnly } from "./per-pmd-split-only.ts";
import { pgdLockIrqsave } from "./pgd-lock-irqsave.ts";
import { preSplit } from "./pre-split.ts";
import { readerWriter } from "./reader-writer.ts";
import { skipForPresent } from "./skip-for-present.ts";
import { splitMark } from "./split-mark.ts";

export { MUTANTS } from "./mutants.ts";

/** In the order of the verdict table. */
export const DESIGNS: readonly Design[] = [
  linux2627,
  linux2628,
  linux2628NoCpaLock,
  linux420,
  noCpaLock,
  linux615,
  linux615NoCpaLock,
  fix202607,
  linux73,
  linux73ReadOverFlush,
  linux73NoCpaLock,
  perPmdSplitOnly,
  perPmdLock,
  skipForPresent,
  splitMark,
  readerWriter,
  preSplit,
];

/** Every shipped design and mutant by name. */
export const DESIGN_BY_NAME: ReadonlyMap<string, Design> = new Map(
  [...DESIGNS, pgdLockIrqsave, ...MUTANTS].map((d) => [d.name, d]),
);
