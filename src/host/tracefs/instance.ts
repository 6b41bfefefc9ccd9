import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { mountTracefs, refusedBy, releaseOrphanMounts } from "./mount.ts";
import { isOrphan, ownName } from "./owner.ts";

/** A trace buffer of our own: what we set in it, nobody else sees, and the reverse. */
export interface TracefsInstance {
  readonly path: string;
  /** @param file  below the instance */
  set(file: string, value: string): void;
  get(file: string): string;
  /** Removes the instance and releases tracefs; safe to call again. Synchronous, for `exit`. */
  remove(): void;
}

/**
 * Makes a trace instance, after removing those of runs of ours that were killed. It is removed at
 * the end of this process at the latest; after SIGKILL, at the next start.
 * @throws BootstormError NO_TRACEFS or TRACEFS_NOT_PERMITTED
 */
export function createInstance(): TracefsInstance {
  releaseOrphanMounts();
  const mount = mountTracefs();
  const path = `${mount.path}/instances/${ownName()}`;
  try {
    removeOrphanInstances(`${mount.path}/instances`);
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    mount.release();
    throw refusedBy(error as NodeJS.ErrnoException);
  }
  let present = true;
  function remove(): void {
    if (!present) return;
    present = false;
    process.off("exit", remove);
    stop(path);
    removeInstance(path);
    mount.release();
  }
  process.on("exit", remove);
  return {
    path,
    set: (file, value) => writeFileSync(`${path}/${file}`, value),
    get: (file) => readFileSync(`${path}/${file}`, "utf8"),
    remove,
  };
}

function removeOrphanInstances(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (isOrphan(name)) removeInstance(`${folder}/${name}`);
  }
}

function stop(path: string): void {
  try {
    writeFileSync(`${path}/tracing_on`, "0");
  } catch {
    // Gone already, by another hand.
  }
}

/**
 * Removes an instance and all that is set in it. One that somebody reads refuses and goes on: its
 * owner may live in another container, where process numbers differ.
 */
function removeInstance(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Busy or gone: the next start tries again.
  }
}
