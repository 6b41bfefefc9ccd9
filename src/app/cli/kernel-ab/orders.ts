// What a guest is asked to measure, and what it needs for that.
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { BootPurpose, GuestLoad, LoadOrder } from "../../../core/event/kernel-run.ts";
import { powersUpTo } from "../load/flags.ts";

/** The loads that kernels are compared under. */
export type ComparedLoad = Exclude<GuestLoad, "mixed">;

export interface OrderAsk {
  readonly loads: readonly ComparedLoad[];
  /** Numbers of threads; undefined: 1, 2, 4 … up to the vCPUs. */
  readonly threads: readonly number[] | undefined;
}

type Amount = Pick<LoadOrder, "ops" | "warmUp" | "limitMs">;

/**
 * Enough for a steady mean under emulation, where 4 threads with `cpa_lock` did a million toggles or
 * 200 splits a second, and few enough for a boot of a few seconds. Where a lock collapses (queued, with
 * more vCPUs than CPUs) the limit ends it.
 */
const TO_TIME: Readonly<Record<ComparedLoad, Amount>> = {
  toggle: { ops: 500_000, warmUp: 50_000, limitMs: 5_000 },
  split: { ops: 25, warmUp: 2, limitMs: 5_000 },
};

/** A kernel with lock statistics is several times slower. */
const TO_COUNT: Readonly<Record<ComparedLoad, Amount>> = {
  toggle: { ops: 50_000, warmUp: 5_000, limitMs: 10_000 },
  split: { ops: 20, warmUp: 2, limitMs: 10_000 },
};

/** 256 pages of each odd thread, four changes of each. With lockdep that took 8 s. */
const MIXED: Amount = { ops: 1_024, warmUp: 0, limitMs: 25_000 };
const MIXED_THREADS = 4;

/** Guests for `debug`: as many vCPUs as threads. */
export function debugVcpus(vcpus: readonly number[]): number {
  return Math.max(2, Math.min(MIXED_THREADS, ...vcpus.slice(-1)));
}

/** In the order in which a guest of this size does them. */
export function ordersOf(purpose: BootPurpose, vcpus: number, ask: OrderAsk): LoadOrder[] {
  if (purpose === "debug") return [{ load: "mixed", threads: vcpus, ...MIXED }];
  const amounts = purpose === "time" ? TO_TIME : TO_COUNT;
  const threads = (ask.threads ?? powersUpTo(vcpus)).filter((count) => count <= vcpus);
  return ask.loads.flatMap((load) =>
    threads.map((count) => ({ load, threads: count, ...amounts[load] })),
  );
}

/** As kernel/load/init reads it; at most 128 bytes of it. */
export function orderWord({ load, threads, ops, warmUp, limitMs }: LoadOrder): string {
  return `bootstorm.load=${load},threads=${threads},ops=${ops},warm_up=${warmUp},limit_ms=${limitMs}`;
}

const LARGE_PAGE_MIB = 2;
/** The kernel, what it keeps of page tables, and 16 large pages for `mixed`. */
const MEMORY_MIB = 512;
/** Large pages that the kernel has split for itself are of no use to `split`. */
const SPARE = 1.25;

/** A large page that was split stays so: each order needs fresh ones. In steps of 128 MiB. */
export function memoryMiB(orders: readonly LoadOrder[]): number {
  const splits = orders
    .filter(({ load }) => load === "split")
    .reduce((sum, { threads, ops, warmUp }) => sum + threads * (ops + warmUp), 0);
  return Math.ceil((MEMORY_MIB + splits * LARGE_PAGE_MIB * SPARE) / 128) * 128;
}

/** To boot, and to make an order ready, on a busy host. */
const SLACK_MS = 30_000;

/** How long a guest may say nothing: an order is done twice, to warm up and to measure. */
export function silenceMs(orders: readonly LoadOrder[]): number {
  return SLACK_MS + 2 * Math.max(...orders.map(({ limitMs }) => limitMs));
}

/** How long it may take in all. */
export function wholeMs(orders: readonly LoadOrder[]): number {
  return SLACK_MS + orders.reduce((sum, { limitMs }) => sum + 2 * limitMs + 2_000, 0);
}

/** Of the kernel's command line, with ours. Source: COMMAND_LINE_SIZE, arch/x86/include/asm/setup.h. */
const COMMAND_LINE_MAX = 2_047;
/** For the words that every guest has. */
const OUR_WORDS = 250;

/** @throws BootstormError COMMAND_LINE_TOO_LONG: the kernel would cut it */
export function requireRoom(words: string): void {
  const most = COMMAND_LINE_MAX - OUR_WORDS;
  if (words.length <= most) return;
  throw new BootstormError("COMMAND_LINE_TOO_LONG", "too much for one kernel command line", {
    why: `orders and words of an arm have ${words.length} characters, at most ${most} fit`,
    remedies: ["fewer numbers of threads: --threads", "fewer words behind the kernel's name"],
    exit: EXIT.usage,
  });
}
