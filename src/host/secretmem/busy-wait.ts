// A busy wait of less than a microsecond. It looks at the clock until the time is over, and says how
// long it took: a look alone takes 50 to 100 ns. (A loop whose turns were timed before needs no
// clock, but takes five times as long wherever the compiler has not put it into its caller.)

/** @returns ns between the first look at the clock and the last: at least those asked for */
export function waitBusily(ns: bigint): number {
  const start = process.hrtime.bigint();
  const end = start + ns;
  let now = start;
  while (now < end) now = process.hrtime.bigint();
  return Number(now - start);
}

const CALLS = 500;

/**
 * What a wait takes beside what it returns: the call, and the two halves of a look before the first
 * reading and after the last. A wait of 0 is nothing else.
 */
export function unseenNs(): number {
  const start = process.hrtime.bigint();
  for (let call = 0; call < CALLS; call += 1) waitBusily(0n);
  return Number(process.hrtime.bigint() - start) / CALLS;
}
