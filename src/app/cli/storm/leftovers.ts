import { counted } from "../../../core/report/words.ts";
import { sweepLeftovers } from "../../../host/qemu/leftovers.ts";
import type { Session } from "../run.ts";

/**
 * Ends and removes what runs left that were killed, and says so.
 * @throws BootstormError as `sweepLeftovers`
 */
export async function endLeftovers({ progress }: Session): Promise<void> {
  const { pids, paths, kept } = await sweepLeftovers();
  const killed = "a run before this one was killed";
  if (pids.length > 0) {
    progress.note(`${killed}; ended ${counted(pids.length, "process", "processes")} of it`);
  }
  for (const path of paths) progress.note(`${killed}; removed ${path}`);
  for (const what of kept) progress.note(what);
}
