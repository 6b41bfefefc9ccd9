// Numbers as people read them. Only `report` and the commands call this; everything inside the
// core keeps integer ns, bytes and pages.

/** A duration in the unit that leaves one to three digits before the point: `12.3 µs`. */
export function formatNs(ns: number): string {
  const size = Math.abs(ns);
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${threeDigits(ns / 1e3)} µs`;
  if (size < 1e9) return `${threeDigits(ns / 1e6)} ms`;
  return `${threeDigits(ns / 1e9)} s`;
}

/** A count with thousands separated: `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** A large number in short: `532 k`, `1.28 M`. */
export function formatShort(value: number): string {
  const size = Math.abs(value);
  if (size < 1e3) return threeDigits(value);
  if (size < 1e6) return `${threeDigits(value / 1e3)} k`;
  if (size < 1e9) return `${threeDigits(value / 1e6)} M`;
  return `${threeDigits(value / 1e9)} G`;
}

/** Bytes in binary units: `2.00 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${threeDigits(value)} ${units[unit]}`;
}

/** A share of one as a percentage: `41.2 %`, and never `0 %` for what is not zero. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0) return "0 %";
  if (Math.abs(percent) < 0.1) return "< 0.1 %";
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** Three significant digits without an exponent. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 99.95) return Math.round(value).toString();
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}
