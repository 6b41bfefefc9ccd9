// What a simulated storm's numbers are called.
import type { StormCurve, StormSeries } from "../analyze/storm-curve.ts";
import type { StormField, StormPoint } from "../analyze/storm-point.ts";
import { formatCount, formatNs } from "../units.ts";
import { code, type Prose, prose, proseText } from "./prose.ts";

/** True for a field that says how many VMs a group has. */
export function isVmCount(path: string): boolean {
  return /^guests\[\d+\]\.count$/.test(path);
}

/** `1 VM`, `64 VMs`. */
export function vms(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "VM" : "VMs"}`;
}

export function msText(ms: number): string {
  return formatNs(ms * 1e6);
}

/** The PSP is no lock of the kernel's memory code; a reader may not know its mutex. */
export function lockProse(name: string): Prose {
  return name === "sev_cmd_mutex" ? prose`the PSP (${code(name)})` : prose`${code(name)}`;
}

/** True when the x axis counts all VMs of the storm. */
export function countsVms({ x, series }: StormCurve): boolean {
  const counts = x !== undefined && isVmCount(x);
  return counts && series.every((one) => one.points.every((each) => each.point.vms === each.x));
}

/** `64 VMs`, or `background.cpuBurners 16`. */
export function xProse(curve: StormCurve, x: number): Prose {
  return countsVms(curve) ? prose`${vms(x)}` : prose`${code(curve.x!)} ${x}`;
}

export function xText(curve: StormCurve, x: number): string {
  return proseText(xProse(curve, x));
}

/** `host.design linux-4.20, host.flush ipi`; names as code, so that none is broken at its hyphen. */
export function fieldsProse(fields: readonly StormField[]): Prose {
  return fields.flatMap(({ path, value, label }, i) => [
    ...(i === 0 ? [] : [", "]),
    ...(typeof value === "string"
      ? prose`${code(path)} ${code(label)}`
      : prose`${code(path)} ${label}`),
  ]);
}

/** The values alone where they say what they are: `no-cpa-lock, warm`, `cpuBurners 16, none`. */
export function seriesName({ fields }: StormSeries): string {
  if (fields.length === 0) return "boot time";
  return fields
    .map(({ path, value, label }) =>
      typeof value === "number" ? `${shortPath(path)} ${label}` : label,
    )
    .join(", ");
}

/** `guests[0].count` → `VMs`; else the field's own name. */
export function shortPath(path: string): string {
  if (isVmCount(path)) return path === "guests[0].count" ? "VMs" : path;
  return path.replace(/^.*\./, "");
}

/** `53 % of it waiting for cpa_lock and 40 % for the PSP`; empty when nothing was waited for. */
export function blameProse({ locks }: StormPoint, from: number): Prose {
  const waited = locks
    .filter((lock) => lock.shareOfBoot >= from)
    .sort((a, b) => b.shareOfBoot - a.shareOfBoot)
    .slice(0, 2);
  return waited.flatMap(({ name, shareOfBoot }, i) => {
    const percent = `${Math.round(shareOfBoot * 100)} %`;
    return i === 0
      ? prose`${percent} of it waiting for ${lockProse(name)}`
      : prose` and ${percent} for ${lockProse(name)}`;
  });
}
