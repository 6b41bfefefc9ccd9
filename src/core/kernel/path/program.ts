import { assertNever } from "../../assert.ts";
import type { Path } from "../operation.ts";
import type { Request } from "../request.ts";
import { collapseLargePages } from "./collapse.ts";
import { pageStateChange } from "./rmpupdate.ts";
import type { Kernel } from "./section.ts";
import { changePageAttrRounds, changePageAttrSetClr } from "./set-memory.ts";

/** What one CPU does: its requests in order, each ending in a `return` that laws look at. */
export function* program(kernel: Kernel, requests: readonly Request[], pages: number): Path {
  for (const request of requests) {
    const changed = yield* call(kernel, request, pages);
    yield {
      op: "return",
      page: request.scope === "page" ? "own" : 0,
      set: request.set,
      clear: request.clear,
      flushed: request.via === "set_memory",
      changed: changed !== 0,
      fn: request.fn,
      what: "return",
    };
  }
}

function* call(kernel: Kernel, request: Request, pages: number): Path<number> {
  switch (request.via) {
    case "set_memory":
      return yield* changePageAttrSetClr(kernel, request, pages);
    case "set_direct_map":
      return yield* changePageAttrRounds(kernel, request, pages);
    case "collapse":
      yield* collapseLargePages(kernel);
      return 1;
    case "rmpupdate-2022":
    case "rmpupdate-6.9":
      yield* pageStateChange(kernel, request);
      return 1;
    case "fork":
      yield* pgdAlloc(kernel);
      return 0;
    default:
      return assertNever(request.via);
  }
}

/** pgd_alloc: the list of page-global directories is under pgd_lock, where there is one. */
function* pgdAlloc(kernel: Kernel): Path {
  if (kernel.design.locks.pgd_lock === undefined) return;
  const lock = { lock: "pgd_lock", shared: false, fn: "pgd_alloc" };
  yield { op: "lock", ...lock, what: "lock pgd_lock" };
  yield { op: "work", fn: "pgd_ctor", what: "copy kernel entries, link into pgd_list" };
  yield { op: "unlock", ...lock, what: "unlock pgd_lock" };
}
