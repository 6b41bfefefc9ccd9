import type { Design, Lock } from "../kernel/design.ts";
import type { Operation, Path } from "../kernel/operation.ts";
import { program } from "../kernel/path/program.ts";
import type { Request } from "../kernel/request.ts";

/** A lock of the storm: those of the design, and what the kernel takes around them. */
export interface StormLock extends Lock {
  readonly name: string;
}

/** vm_unmap_aliases works under this mutex (mm/vmalloc.c); no law needs it, time does. */
export const VMAP_PURGE_LOCK = "vmap_purge_lock";

export function stormLocks(design: Design): readonly StormLock[] {
  const own = Object.entries(design.locks).map(([name, lock]) => ({ name, ...lock }));
  return [...own, { name: VMAP_PURGE_LOCK, kind: "mutex", scope: "global", irqsOff: false }];
}

export function sleeps(lock: Lock): boolean {
  return lock.kind === "mutex" || lock.kind === "rwsem";
}

/** The kernel model's path of one request on one page, with the mutex that it leaves out. */
export function* stormPath(design: Design, pud: boolean, request: Request): Path {
  const path = program({ design, flush: "broadcast", pud }, [request], 1);
  let result = 0;
  for (let step = path.next(result); !step.done; step = path.next(result)) {
    const operation: Operation = step.value;
    const purges = operation.op === "work" && operation.fn === "vm_unmap_aliases";
    const lock = { lock: VMAP_PURGE_LOCK, shared: false, fn: operation.fn } as const;
    if (purges) yield { op: "lock", ...lock, what: `lock ${VMAP_PURGE_LOCK}` };
    result = yield operation;
    if (purges) yield { op: "unlock", ...lock, what: `unlock ${VMAP_PURGE_LOCK}` };
  }
}
