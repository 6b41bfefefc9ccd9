import {
  ENTRY_IS_TABLE,
  type Path,
  RMP_FAIL_OVERLAP,
  RMP_FAIL_SIZEMISMATCH,
} from "../operation.ts";
import { REQUESTS, type Request } from "../request.ts";
import type { Kernel } from "./section.ts";
import { changePageAttrRounds, changePageAttrSetClr } from "./set-memory.ts";

/**
 * rmp_make_private / rmp_make_shared and what the guest does around it: a page state change.
 * 2022: the SNP host series v5 to v10, which the talk ran: set_direct_map_invalid_noflush of every
 * 4 KiB page. 6.9: adjust_direct_map, arch/x86/virt/svm/sev.c, splits the large entry once.
 */
export function* pageStateChange(kernel: Kernel, request: Request): Path {
  const old = request.via === "rmpupdate-2022";
  if (request.guest === "private") {
    if (old) yield* directMap(kernel, "invalid");
    else yield* adjustDirectMap(kernel);
    yield* rmpupdate(true);
    yield* guestAccept();
    return;
  }
  // The guest rescinds its validation before it asks (GHCB: shared = PVALIDATE(0), then PSC).
  yield { op: "pvalidate", valid: false, fn: "snp_set_memory_shared", what: "guest PVALIDATE(0)" };
  if (!old) yield* adjustDirectMap(kernel);
  yield* rmpupdate(false);
  if (old) yield* directMap(kernel, "default");
}

function* directMap(kernel: Kernel, name: "invalid" | "default"): Path {
  yield* changePageAttrRounds(kernel, REQUESTS.get(name)!, 0);
}

/** adjust_direct_map: one lock-free look-up; nothing to do once the entry is 4 KiB. */
function* adjustDirectMap(kernel: Kernel): Path {
  const fn = "adjust_direct_map";
  if (kernel.pud) {
    const pud = yield { op: "readEntry", level: "pud", fn, what: "lookup_address, PUD" };
    if (pud < ENTRY_IS_TABLE) {
      yield* changePageAttrSetClr(kernel, REQUESTS.get("4k")!, 0);
      return;
    }
  }
  const pmd = yield { op: "readEntry", level: "pmd", fn, what: "lookup_address, PMD" };
  if (pmd < ENTRY_IS_TABLE) yield* changePageAttrSetClr(kernel, REQUESTS.get("4k")!, 0);
}

function* rmpupdate(assign: boolean): Path {
  const what = assign ? "RMPUPDATE to the guest" : "RMPUPDATE to the hypervisor";
  for (;;) {
    const result = yield { op: "rmpupdate", assign, fn: "rmpupdate", what };
    if (result !== RMP_FAIL_OVERLAP) return;
    // Only a 2 MiB RMP entry overlaps here: the host smashes it, as sev_handle_rmp_fault does.
    yield { op: "psmash", fn: "psmash", what: "PSMASH the 2M RMP entry" };
  }
}

function* guestAccept(): Path {
  for (;;) {
    const result = yield {
      op: "pvalidate",
      valid: true,
      fn: "pvalidate_pages",
      what: "guest PVALIDATE(1)",
    };
    if (result !== RMP_FAIL_SIZEMISMATCH) break;
    yield { op: "psmash", fn: "sev_handle_rmp_fault", what: "PSMASH the 2M RMP entry" };
  }
  yield { op: "guestAccess", fn: "guest", what: "access the private page" };
}
