import type { CostsNs } from "../../kernel/cost/cost-table.ts";
import type { Design } from "../../kernel/design.ts";
import { CODE, type Program, ProgramTree, type StartEntry } from "../program.ts";
import { stormLocks } from "../storm-path.ts";

/**
 * An operation of the load: `set_direct_map_invalid_noflush` of one page. To make it valid again takes
 * the same steps.
 * @param entry  what maps the page before
 * @param outsideNs  work before the path
 */
export function pathOf(
  design: Design,
  costs: CostsNs,
  entry: StartEntry,
  outsideNs: number,
): Program {
  // What a flush takes depends on who runs, and is no part of the program.
  const context = { design, locks: stormLocks(design), costs, pud: false, flushNs: 0, fuse: true };
  const op = { kind: "kernel", request: "invalid", leadNs: outsideNs } as const;
  return new ProgramTree(context, op).start(entry);
}

/** All work of a path, without what it waits for. Unit: ns. */
export function workNs({ code, ns }: Program): number {
  return code.reduce((sum, each, pc) => sum + (each === CODE.work ? ns[pc]! : 0), 0);
}
