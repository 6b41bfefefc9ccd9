export type Version = readonly [major: number, minor: number];

/** @param text  begins with the version: `6.1.0-49-cloud-amd64`, `7.2.22 (Debian …)` */
export function versionOf(text: string): Version | undefined {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

export function atLeast([major, minor]: Version, thatMajor: number, thatMinor: number): boolean {
  return major > thatMajor || (major === thatMajor && minor >= thatMinor);
}
