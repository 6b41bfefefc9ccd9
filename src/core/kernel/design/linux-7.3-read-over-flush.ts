import type { Design } from "../design.ts";
import { linux73 } from "./linux-7.3.ts";

/**
 * linux-7.3 with the read lock of init_mm kept until the final flush is done: one unlock moved
 * down. Derived from the hole that check found in 7.3; nobody has posted it.
 *
 * check: safe in every column, and beside a collapse of any kind: the only design that collapses
 * and is.
 */
export const linux73ReadOverFlush: Design = {
  ...linux73,
  name: "linux-7.3-read-over-flush",
  title: "7.3, init_mm read lock kept over the final flush",
  source: "derived: closes the hole of linux-7.3",
  sections: { ...linux73.sections, request: ["init_mm:read"], change: [] },
};
