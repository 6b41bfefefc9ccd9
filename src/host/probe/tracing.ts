import { accessSync, constants, statSync } from "node:fs";
import { join } from "node:path";
import type { TracingReading } from "../../core/facts/host-readings.ts";
import { isThere, readText } from "./file.ts";

/** Where our own recorder mounts tracefs while it runs: not a place to count on. */
const OWN_MOUNTS = "/run/bootstorm/";
/** debugfs mounts tracefs below itself when somebody looks there. */
const BELOW_DEBUGFS = "/sys/kernel/debug/tracing";

/** Looks and changes nothing: what is not mounted stays so. */
export function readTracing(root: string): TracingReading {
  const inKernel = /\btracefs$/m.test(readText(root, "/proc/filesystems"));
  const mounted = tracefsMounts(readText(root, "/proc/self/mounts"));
  const mounts =
    mounted.length === 0 && isThere(root, `${BELOW_DEBUGFS}/events`) ? [BELOW_DEBUGFS] : mounted;
  const [first] = mounts;
  if (first === undefined) return { inKernel, mounts };
  const contentionEvents = stands(join(root, first, "events/lock/contention_begin"));
  return {
    inKernel,
    mounts,
    ...(contentionEvents === undefined ? {} : { contentionEvents }),
    instancesWritable: mayWrite(join(root, first, "instances")),
  };
}

/** `nodev /sys/kernel/tracing tracefs rw,nosuid 0 0` */
function tracefsMounts(mounts: string): string[] {
  return mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, path, type]) => type === "tracefs" && !path!.startsWith(OWN_MOUNTS))
    .map(([, path]) => path!);
}

/** @returns undefined when this process may not look */
function stands(path: string): boolean | undefined {
  try {
    statSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? false : undefined;
  }
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
