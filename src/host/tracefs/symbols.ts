import { readFileSync } from "node:fs";
import { parseKallsyms, type Symbols } from "../../core/trace/kallsyms.ts";

/** The running kernel's symbols; none that can be used where it hides its addresses. */
export function kernelSymbols(): Symbols {
  let text = "";
  try {
    text = readFileSync("/proc/kallsyms", "latin1");
  } catch {
    // A kernel without kallsyms, or a container that hides it: addresses stay numbers.
  }
  return parseKallsyms(text);
}
