// The end of a text that comes in pieces and may never end: a console, a standard error.

/** The most lines and characters of a line that are shown of one. */
export const TAIL_LINES_MAX = 20;
export const TAIL_CHARS_MAX = 400;

/** Lines of 400 characters of one to two bytes each, or fewer of more. */
const KEPT_BYTES = 16 << 10;

export interface TextTail {
  add(piece: Uint8Array): void;
  /** The last lines that are not blank, cut and without control characters. */
  lines(): string[];
}

/** Keeps the last 16 KiB in a ring, whatever comes. */
export function createTextTail(): TextTail {
  const ring = Buffer.alloc(KEPT_BYTES);
  let bytes = 0;
  return {
    add(piece) {
      const last = piece.subarray(Math.max(0, piece.length - KEPT_BYTES));
      const at = (bytes + piece.length - last.length) % KEPT_BYTES;
      ring.set(last.subarray(0, KEPT_BYTES - at), at);
      ring.set(last.subarray(KEPT_BYTES - at), 0);
      bytes += piece.length;
    },
    lines() {
      const at = bytes % KEPT_BYTES;
      const kept =
        bytes <= KEPT_BYTES
          ? ring.subarray(0, bytes)
          : Buffer.concat([ring.subarray(at), ring.subarray(0, at)]);
      return plainLines(kept.toString("utf8")).slice(-TAIL_LINES_MAX);
    },
  };
}

const ESC = "\\u001b";
const BEL = "\\u0007";

/**
 * Sequences that move a terminal's cursor, colour it or rename its window. Source: ECMA-48, 5.3 to
 * 5.6.
 */
const ESCAPES = new RegExp(
  [
    `${ESC}\\[[0-?]*[ -/]*[@-~]`, // CSI: ESC [ 1;31 m
    `${ESC}\\][^${BEL}${ESC}\\n]*(?:${BEL}|${ESC}\\\\)`, // OSC: ESC ] 0;title BEL
    `${ESC}[ -/]*[0-~]`, // ESC M, and the beginning of what is cut off
  ].join("|"),
  "g",
);

/** What is left of text of any origin for people to read: its lines that are not blank. */
export function plainLines(text: string): string[] {
  return text
    .replace(ESCAPES, "")
    .split(/[\r\n]+/)
    .map((line) => plainText(line.slice(0, TAIL_CHARS_MAX)))
    .filter((line) => line !== "");
}

/** Without control characters, halves of pairs, and what shows nothing or turns the direction. */
function plainText(line: string): string {
  return line
    .replace(/[\t\u2028\u2029]/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, "")
    .trimEnd();
}
