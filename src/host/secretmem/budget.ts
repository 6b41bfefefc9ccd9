import { PAGE_BYTES } from "./protocol.ts";

/** How many pages each process may take, and what decided it. */
export interface PageBudget {
  readonly pages: number;
  readonly boundBy: "asked" | "memory" | "memlock";
}

/**
 * The most pages a process that keep all processes together within both limits, counting the
 * memory-lock limit the strict way: once for all processes of the user.
 * @param memoryShare  0..1, of `memAvailableBytes`, for all processes together
 * @param memlockBytes  Infinity where the kernel is known not to refuse
 */
export function pageBudget(ask: {
  readonly pages: number;
  readonly processes: number;
  readonly memAvailableBytes: number;
  readonly memoryShare: number;
  readonly memlockBytes: number;
}): PageBudget {
  const pagesOf = (bytes: number) => Math.floor(bytes / PAGE_BYTES / ask.processes);
  const budgets: PageBudget[] = [
    { pages: ask.pages, boundBy: "asked" },
    { pages: pagesOf(ask.memAvailableBytes * ask.memoryShare), boundBy: "memory" },
    { pages: pagesOf(ask.memlockBytes), boundBy: "memlock" },
  ];
  return budgets.reduce((least, budget) => (budget.pages < least.pages ? budget : least));
}
