import type { Markup } from "./markup.ts";
import type { Prose } from "./prose.ts";

/**
 * A report, whoever reads it: `htmlPage` and `terminalReport` print the same parts in the same
 * order, so nothing is in one and forgotten in the other. A later step of a job joins by adding
 * its section.
 */
export interface Report {
  /** Short, for a window's title. */
  readonly title: string;
  /** What was examined, in one line. */
  readonly subject: string;
  /** One sentence. */
  readonly answer: Prose;
  /** The numbers behind the answer, one sentence each. */
  readonly findings: readonly Prose[];
  readonly sections: readonly Section[];
  /** Who made it and when. */
  readonly colophon: string;
}

export interface Section {
  /** Unique in the report; the anchor of the section in a page. */
  readonly id: string;
  readonly title: string;
  readonly html: Markup;
  /** Absent where a terminal has nothing to add. */
  readonly text?: (size: TextSize) => string;
}

export interface TextSize {
  readonly width: number;
  /** True where the terminal knows no Unicode. */
  readonly ascii: boolean;
}
