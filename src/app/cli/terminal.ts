import type { TextSize } from "../../core/report/report.ts";

const COLUMNS_LEAST = 40;
const COLUMNS_MOST = 120;
/** What a file or a pipe is read in. */
const COLUMNS_ELSEWHERE = 80;

/** How wide text may be on standard output, and whether it may use more than ASCII. */
export function textSize(): TextSize {
  const columns = process.stdout.isTTY === true ? process.stdout.columns : COLUMNS_ELSEWHERE;
  const locale = process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || "";
  return {
    width: Math.min(COLUMNS_MOST, Math.max(COLUMNS_LEAST, columns)),
    // The C locale is what scripts and containers have; their readers know Unicode nowadays.
    ascii: locale !== "" && !/utf-?8|^C$|^POSIX$/i.test(locale),
  };
}
