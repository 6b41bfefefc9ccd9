/**
 * The attributes of a page-table entry that the direct-map code changes, as a bit set. The frame is
 * left out: a direct map is an identity map, so two entries for one address never differ in frame.
 * G and D are left out too: no law looks at them. (__set_pages_np clears them and __set_pages_p does
 * not set them again, arch/x86/mm/pat/set_memory.c v7.0: that only makes a collapse less likely.)
 */
export const PRESENT = 1;
export const WRITABLE = 2;
export const NO_EXECUTE = 4;
/** Memory type other than write-back (PWT, PCD, PAT). */
export const UNCACHED = 8;

/** What the direct map starts with: PAGE_KERNEL. */
export const PAGE_KERNEL = PRESENT | WRITABLE | NO_EXECUTE;

/** Attributes that a TLB entry can have. A non-present entry is never cached, so P is implied. */
export function tlbBit(attributes: number): number {
  return 1 << ((attributes >> 1) & 7);
}

/** The attributes in a TLB set, as entries would show them. */
export function attributesOfTlbSet(set: number): readonly number[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].filter((i) => set & (1 << i)).map((i) => (i << 1) | PRESENT);
}

/** `rw nx`, `ro x`, `rw nx uc`, `not present`. */
export function formatAttributes(attributes: number): string {
  if (!(attributes & PRESENT)) return "not present";
  const access = attributes & WRITABLE ? "rw" : "ro";
  const execute = attributes & NO_EXECUTE ? "nx" : "x";
  return attributes & UNCACHED ? `${access} ${execute} uc` : `${access} ${execute}`;
}
