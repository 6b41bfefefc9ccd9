/** What the steps of a machine have shown: written at full speed, read by the search. */
export interface Findings {
  /** Laws broken by the last step: `Law.bit`s. */
  broken: number;
  readonly tested: Tested;
}

/** How often a law was put to a real test. */
export interface Tested {
  /** A TLB could hold two sizes for one address (C1). */
  bothSizes: number;
  /** A flush had something to drop (C4). */
  flushCleared: number;
  /** A PTE was stored while a detached table existed (C2). */
  storeAfterDetach: number;
  /** A flushing request returned (C4). */
  returnFlushed: number;
}

export function noFindings(): Findings {
  const tested = { bothSizes: 0, flushCleared: 0, storeAfterDetach: 0, returnFlushed: 0 };
  return { broken: 0, tested };
}
