import {
  createFreshRunFolder,
  createRunFolder,
  type RunFolder,
} from "../../host/store/run-folder.ts";

/**
 * The folder that was asked for, or one of its own for each run.
 * @throws BootstormError CANNOT_WRITE
 */
export function createOutFolder(out: string | undefined): Promise<RunFolder> {
  if (out !== undefined) return createRunFolder(out);
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  return createFreshRunFolder(`bootstorm-runs/${stamp}`);
}
