// Text for a terminal: what is seen, how wide it is, and how it is cut.

/**
 * A string from outside as it may be shown: control characters (a terminal would obey them),
 * bidirectional overrides and invisible characters (they would lie about what is read), lone
 * surrogates and non-characters (XML has no place for them) become visible escapes.
 */
export function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Columns a terminal takes for a string without control characters. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text if it fits, else its beginning and `…`. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    kept += character;
  }
  return width > 0 ? `${kept}…` : "";
}

export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - displayWidth(text))) + text;
}

/**
 * Breaks text at spaces into lines of at most `width` columns; a longer word stands alone and whole,
 * so that a command can still be copied.
 * @param indent  put before every line but the first
 */
export function wrap(text: string, width: number, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line.trim() !== "" && displayWidth(longer) > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].join("\n");
}

/** For terminals without Unicode: the signs we use in ASCII, anything else as `?`; same width. */
export function asciiOnly(text: string): string {
  return text
    .replaceAll("×", "x")
    .replaceAll("µ", "u")
    .replaceAll("…", "~")
    .replace(/[^\n -~]/gu, (character) => "?".repeat(characterWidth(character)));
}

// Wide and fullwidth blocks of Unicode's EastAsianWidth.txt (15.0) and the emoji planes, coarsely:
// names of processes hold such characters now and then, and a table should not break over them.
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function characterWidth(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
