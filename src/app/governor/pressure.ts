import { readFileSync } from "node:fs";

/**
 * Share of the last 10 s in which some task was ready and had no CPU, 0..1 (PSI,
 * Documentation/accounting/psi.rst): `some avg10=2.04 avg60=0.75 avg300=0.40 total=157622151`.
 * @returns undefined where the kernel does not tell
 */
export function readCpuPressure(): number | undefined {
  try {
    const [, percent] =
      /^some avg10=([\d.]+)/.exec(readFileSync("/proc/pressure/cpu", "utf8")) ?? [];
    return percent === undefined ? undefined : Number(percent) / 100;
  } catch {
    return undefined;
  }
}
