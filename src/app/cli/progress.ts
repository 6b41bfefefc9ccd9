/** Where long work says how far it is. Standard error only. */
export interface Progress {
  /** @param done  share of the work that is done, 0..1; undefined when it cannot be known */
  step(what: string, done?: number): void;
  /** A line that stays, such as a warning. Shown even with --quiet. */
  note(text: string): void;
  /** Removes what is shown; the next output starts on a clean line. */
  clear(): void;
}

const BAR_CELLS = 20;
const REDRAW_MS = 80;
const LINE_EVERY_MS = 3_000;

/**
 * A bar that redraws itself on a terminal, a line every few seconds elsewhere, nothing when quiet.
 * A step that comes too soon after another is shown later, unless a newer one takes its place: what
 * takes long must not stand under the name of what was before it.
 */
export function createProgress(options: { quiet: boolean }): Progress {
  const stream = process.stderr;
  const live = stream.isTTY === true;
  const pauseMs = live ? REDRAW_MS : LINE_EVERY_MS;
  let shownAtMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  let later: NodeJS.Timeout | undefined;

  function clear(): void {
    clearTimeout(later);
    if (drawn) stream.write("\r\x1b[2K");
    drawn = false;
  }

  function step(what: string, done?: number): void {
    if (options.quiet) return;
    clearTimeout(later);
    const waitMs = shownAtMs + pauseMs - performance.now();
    if (waitMs <= 0) show(what, done);
    else later = setTimeout(show, waitMs, what, done).unref();
  }

  function show(what: string, done: number | undefined): void {
    shownAtMs = performance.now();
    const share = done === undefined ? "" : `${Math.round(done * 100)} %`.padStart(6);
    if (!live) {
      stream.write(`bootstorm: ${what}${share}\n`);
      return;
    }
    const filled = Math.round((done ?? 0) * BAR_CELLS);
    const bar = done === undefined ? "" : `${"█".repeat(filled)}${"░".repeat(BAR_CELLS - filled)}`;
    stream.write(`\r\x1b[2K${bar}${share} ${what}`.slice(0, (stream.columns ?? 80) + 4));
    drawn = true;
  }

  function note(text: string): void {
    clear();
    stream.write(`bootstorm: ${text}\n`);
  }

  return { step, note, clear };
}
