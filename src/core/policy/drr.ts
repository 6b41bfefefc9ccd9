import type { Fifo } from "./fifo.ts";

/** One that takes turns: a VM among those of its tenant, a tenant among those of the host. */
export interface Flow {
  /** Pages it may still take in its round. */
  deficit: number;
  /** The round it has had its quantum of; −1 before the first. */
  round: number;
  /** Pages each round gives it. */
  readonly quantum: number;
}

export interface Turns<F extends Flow> {
  /** Those that wait, in the order they came. */
  readonly waiting: F[];
  /** Of the one served last. */
  round: number;
}

/**
 * Deficit round robin (Shreedhar and Varghese, 1995): whose turn it is to take `need(flow)` pages.
 * One difference: a flow that has nothing waiting for a moment keeps what is left of its quantum
 * until the round is over. A vCPU waits in one exit at a time and asks anew when that is done; with
 * the deficit lost each time, turns would go by exits, and those with larger exits would get more.
 *
 * Between two flows a and b that want all the time, the pages they get in any interval, divided by
 * their quanta, differ by at most 4 + max(a)/a.quantum + max(b)/b.quantum, where max is the largest
 * need: their rounds differ by one at most, and a deficit is less than quantum + max.
 *
 * Asking again without a turn taken gives the same flow.
 * @param need  pages of what it would take next; 0: it may not have it now
 */
export function nextTurn<F extends Flow>(
  turns: Turns<F>,
  need: (flow: F) => number,
): F | undefined {
  let winRound = Number.POSITIVE_INFINITY;
  for (const flow of turns.waiting) {
    const pages = need(flow);
    if (pages === 0) continue;
    catchUp(flow, turns.round);
    if (flow.deficit >= pages && flow.round === turns.round) return flow;
    winRound = Math.min(winRound, flow.round + roundsUntil(flow, pages));
  }
  if (winRound === Number.POSITIVE_INFINITY) return undefined;
  let winner: F | undefined;
  for (const flow of turns.waiting) {
    const pages = need(flow);
    if (pages === 0) continue;
    if (flow.round < winRound) {
      flow.deficit += flow.quantum * (winRound - flow.round);
      flow.round = winRound;
    }
    if (winner === undefined && flow.round === winRound && flow.deficit >= pages) winner = flow;
  }
  return winner;
}

/** The flow that `nextTurn` has found takes its pages. */
export function takeTurn<F extends Flow>(turns: Turns<F>, flow: F, pages: number): void {
  flow.deficit -= pages;
  turns.round = Math.max(turns.round, flow.round);
}

/** Rounds it did not want anything in are lost to it. */
function catchUp(flow: Flow, round: number): void {
  if (flow.round >= round) return;
  flow.round = round;
  flow.deficit = flow.quantum;
}

function roundsUntil(flow: Flow, pages: number): number {
  return flow.deficit >= pages ? 0 : Math.ceil((pages - flow.deficit) / flow.quantum);
}

/** What waits first in a line whose leavers stay until they come first; drops those. */
export function firstStaying<T extends { readonly gone: boolean }>(line: Fifo<T>): T | undefined {
  for (;;) {
    const first = line.peek();
    if (first === undefined || !first.gone) return first;
    line.shift();
  }
}
