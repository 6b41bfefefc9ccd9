import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { BootstormError, EXIT } from "../../core/error.ts";
import { isOrphan, ownName } from "./owner.ts";

/** Where private mounts live while we run: only root makes them, only root reads them. */
const RUN_DIR = "/run/bootstorm";

/** A place where tracefs can be read and written. */
export interface TracefsMount {
  readonly path: string;
  /** Undoes what `mountTracefs` did; does nothing where tracefs was mounted already. */
  release(): void;
}

/**
 * Finds tracefs, or mounts it in a private place for as long as we need it.
 * @throws BootstormError NO_TRACEFS or TRACEFS_NOT_PERMITTED
 */
export function mountTracefs(): TracefsMount {
  const mounted = findTracefs();
  if (mounted !== undefined) return { path: mounted, release: () => undefined };
  if (!readFileSync("/proc/filesystems", "utf8").includes("tracefs")) {
    throw new BootstormError("NO_TRACEFS", "cannot record lock events", {
      why: "this kernel was built without tracing (CONFIG_TRACING)",
      remedies: ["run on a kernel of a distribution: they all have it"],
      exit: EXIT.host,
    });
  }
  if (process.getuid?.() !== 0)
    throw notPermitted("tracefs is not mounted, and only root may mount it");
  const path = `${RUN_DIR}/${ownName()}`;
  // Both at once: another run that ends may remove the upper one in between.
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { status, stderr } = spawnSync("mount", ["-t", "tracefs", "bootstorm", path], {
    encoding: "utf8",
  });
  if (status !== 0) {
    rmdirSync(path);
    throw notPermitted(`mounting tracefs failed: ${stderr?.trim() || "no mount program"}`);
  }
  return { path, release: () => unmount(path) };
}

/** Unmounts what earlier runs of ours left mounted when they were killed. */
export function releaseOrphanMounts(): void {
  let names: string[];
  try {
    names = readdirSync(RUN_DIR);
  } catch {
    return; // No run ever made one, or it is not ours to see.
  }
  for (const name of names) if (isOrphan(name)) unmount(`${RUN_DIR}/${name}`);
}

function notPermitted(why: string): BootstormError {
  return new BootstormError("TRACEFS_NOT_PERMITTED", "cannot record lock events", {
    why,
    remedies: ["run as root", "no privileges at all? read a recording: bootstorm contention FILE"],
    exit: EXIT.host,
  });
}

/** An error of tracefs, said for a person. */
export function refusedBy(error: NodeJS.ErrnoException): BootstormError {
  const reasons: Record<string, string> = {
    EACCES: "tracefs is there, and open to root only",
    EPERM: `the kernel refuses it, perhaps because it is locked down: ${error.message}`,
  };
  return notPermitted(reasons[error.code ?? ""] ?? error.message);
}

/** The first place where tracefs is mounted, in the words of /proc/self/mounts. */
function findTracefs(): string | undefined {
  // "tracefs /sys/kernel/tracing tracefs rw,nosuid 0 0"
  const paths = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "tracefs")
    .map(([, path]) => path!);
  const debugfs = "/sys/kernel/debug/tracing";
  const lasting = paths.find((path) => !path.startsWith(RUN_DIR));
  // debugfs mounts tracefs below itself when somebody looks there.
  return lasting ?? (existsSync(`${debugfs}/events`) ? debugfs : undefined);
}

function unmount(path: string): void {
  spawnSync("umount", [path]);
  try {
    rmdirSync(path);
    rmdirSync(RUN_DIR);
  } catch {
    // Still busy, or another run has a mount here: the next start tries again.
  }
}
