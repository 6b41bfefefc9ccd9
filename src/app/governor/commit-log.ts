import type { BootstormError } from "../../core/error.ts";
import type { LedgerState, Permit, PermitEvent } from "../../core/govern/permit.ts";
import type { Journal } from "./journal.ts";

const RETRY_MS = 250;

/** A turn in which thousands of requests come in takes longer than its first may wait. */
const PIECE_NS = 1_000_000n;

/** Told when all that was recorded before is written, or why it could not be. */
export type AfterWrite = (failure: BootstormError | undefined) => void;

/** An event, and the permit as it became by it. */
export interface Change {
  readonly event: PermitEvent;
  readonly permit: Permit | undefined;
}

export interface CommitLogOptions {
  readonly journal: Journal;
  /** The state with all that was recorded. */
  readonly snapshot: () => LedgerState;
  /** A change is written: now it may be told. In the order of their recording. */
  readonly written: (change: Change) => void;
  /** The journal has begun to fail; called before the next attempt, after those that wait to hear. */
  readonly failed: (failure: BootstormError) => void;
  readonly say: (text: string) => void;
}

/**
 * Group commit. In a turn of the event loop requests come in and change the ledger; at its end, or
 * after a millisecond of a longer one, all changes are written with one call, and only then the
 * answers leave. What cannot be written is kept and tried again; meanwhile `failure` says that nothing
 * may be answered.
 */
export class CommitLog {
  readonly #options: CommitLogOptions;
  #untold: Change[] = [];
  /** Since when something is untold. */
  #sinceNs = 0n;
  #actions: AfterWrite[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failure: BootstormError | undefined;

  constructor(options: CommitLogOptions) {
    this.#options = options;
  }

  /** Set while the journal cannot be written. */
  get failure(): BootstormError | undefined {
    return this.#failure;
  }

  record(change: Change): void {
    this.#options.journal.append(change.event);
    if (this.#untold.length === 0) this.#sinceNs = process.hrtime.bigint();
    this.#untold.push(change);
    // While it fails, the timer tries again.
    if (this.#retry === undefined) this.#immediate ??= setImmediate(() => this.commit());
  }

  after(action: AfterWrite): void {
    if (this.#untold.length === 0 && this.#failure === undefined) action(undefined);
    else this.#actions.push(action);
  }

  /** A request is done with, and the ledger at rest. */
  settle(): void {
    if (this.#untold.length === 0 || this.#retry !== undefined) return;
    if (process.hrtime.bigint() - this.#sinceNs >= PIECE_NS) this.commit();
  }

  /** Writes what was recorded and tells those who wait for it. */
  commit(): void {
    clearImmediate(this.#immediate);
    clearTimeout(this.#retry);
    this.#immediate = undefined;
    this.#retry = undefined;
    const { journal, snapshot } = this.#options;
    const failure = journal.write();
    // A disk that has no room for another line may have it for a journal that is begun anew.
    if (failure === undefined || journal.begin(snapshot()) === undefined) this.#succeed();
    else this.#fail(failure);
  }

  /** Writes what is left; nothing is tried again. */
  close(): void {
    this.commit();
    clearImmediate(this.#immediate);
    clearTimeout(this.#retry);
  }

  #succeed(): void {
    const { journal, snapshot, written, say } = this.#options;
    if (this.#failure !== undefined) say("the journal can be written again; permits are granted");
    this.#failure = undefined;
    const changes = this.#untold;
    const actions = this.#actions;
    this.#untold = [];
    this.#actions = [];
    // Before anybody is told: what they do in answer is not in the snapshot.
    if (journal.isLong) {
      const problem = journal.begin(snapshot());
      if (problem !== undefined) say(`the journal stays long: ${problem.why}`);
    }
    for (const change of changes) written(change);
    for (const action of actions) action(undefined);
  }

  #fail(failure: BootstormError): void {
    const isNew = this.#failure === undefined;
    this.#failure = failure;
    this.#retry = setTimeout(() => this.commit(), RETRY_MS);
    const actions = this.#actions;
    this.#actions = [];
    for (const action of actions) action(failure);
    if (!isNew) return;
    this.#options.say(`no permits are granted: ${failure.message}: ${failure.why}`);
    this.#options.failed(failure);
  }
}
