import { Worker } from "node:worker_threads";
import type { BootWatch } from "./boot-watch.ts";
import {
  FIRST_WINDOW_MS,
  type LockWindow,
  lockWaitShare,
  nextWindowMs,
  WINDOW_EVERY_MS,
} from "./lock-share.ts";

/** What the recorder's thread is asked, and answers. */
export type LockRequest = { readonly windowMs: number } | "close";

export type LockAnswer =
  | {
      readonly said: "window";
      readonly window: LockWindow;
      /** Waits of the whole host. */
      readonly pairs: number;
      readonly lost: boolean;
      readonly cpus: number;
    }
  | { readonly said: "missing"; readonly why: string };

/** The kernel keeps the buffers of the recorder, and the cost of enabled events, for so long. */
const IDLE_WINDOWS_MAX = 10;

/**
 * Records the host's lock waits in a window each second while boots are in service, and tells which
 * share of their time it was. Without boots it ends after some seconds, and nothing stays in the kernel.
 */
export class LockWatch {
  readonly #boots: BootWatch;
  readonly #told: (share: number) => void;
  #worker: Worker | undefined;
  /** Until its exit: there cannot be two recorders of one process. */
  #isThreadThere = false;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #windowMs = FIRST_WINDOW_MS;
  #idle = 0;
  #missing: string | undefined;

  constructor(boots: BootWatch, told: (share: number) => void) {
    this.#boots = boots;
    this.#told = told;
  }

  /** Why it cannot record; undefined: it can, or has not tried. */
  get missing(): string | undefined {
    return this.#missing;
  }

  /** There is a boot to watch. */
  start(): void {
    if (this.#isThreadThere || this.#missing !== undefined) return;
    this.#idle = 0;
    const worker = new Worker(new URL("lock-worker.js", import.meta.url));
    this.#worker = worker;
    this.#isThreadThere = true;
    this.#ended = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#isThreadThere = false;
        resolve();
      });
    });
    worker.on("error", (error) => this.#fail(worker, error.message));
    this.#ask(worker);
  }

  /** Try again what was missing. */
  forget(): void {
    this.#missing = undefined;
  }

  /** Resolves when nothing of ours is left in the kernel. */
  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#worker?.postMessage("close" satisfies LockRequest);
    this.#worker = undefined;
    return this.#ended;
  }

  #ask(worker: Worker): void {
    const boots = new Set(this.#boots.ids());
    this.#idle = boots.size === 0 ? this.#idle + 1 : 0;
    if (this.#idle > IDLE_WINDOWS_MAX) {
      void this.close();
      return;
    }
    if (boots.size === 0) {
      this.#timer = setTimeout(() => this.#ask(worker), WINDOW_EVERY_MS);
      return;
    }
    const windowMs = this.#windowMs;
    worker.once("message", (answer: LockAnswer) => this.#take(worker, answer, boots, windowMs));
    worker.postMessage({ windowMs } satisfies LockRequest);
  }

  #take(worker: Worker, answer: LockAnswer, boots: Set<number>, windowMs: number): void {
    if (worker !== this.#worker) return;
    if (answer.said === "missing") {
      this.#fail(worker, answer.why);
      return;
    }
    this.#windowMs = nextWindowMs(windowMs, answer);
    this.#timer = setTimeout(() => this.#ask(worker), WINDOW_EVERY_MS - windowMs);
    if (answer.lost) return;
    // Only those that were in service throughout.
    const ids = new Set(this.#boots.ids().filter((id) => boots.has(id)));
    const share = lockWaitShare(answer.window, ids, this.#boots.threads());
    if (share !== undefined) this.#told(share);
  }

  #fail(worker: Worker, why: string): void {
    if (worker !== this.#worker) return;
    this.#missing = why;
    void this.close();
  }
}
