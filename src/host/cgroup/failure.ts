import { BootstormError, EXIT } from "../../core/error.ts";

/** What the kernel says of a group that is no more, or of a process that has ended. */
export const ABSENT: readonly string[] = ["ENOENT", "ENODEV", "ESRCH"];

export function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** CGROUP_GONE: removed, mostly because its processes have ended. CGROUP_NOT_PERMITTED, CGROUP_REFUSED. */
export function cgroupError(folder: string, file: string, error: unknown): BootstormError {
  const code = errnoOf(error);
  const at = `${folder}/${file}`;
  if (ABSENT.includes(code)) {
    return new BootstormError("CGROUP_GONE", `cannot use ${folder}`, {
      why: `it has no ${file} any more, or its processes have ended`,
      exit: EXIT.host,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new BootstormError("CGROUP_NOT_PERMITTED", `cannot write ${at}`, {
      why: `the kernel says ${code}: only root, or whom the group is delegated to, may set it`,
      remedies: ["run as root", "in a container: mount the cgroup hierarchy writable"],
      exit: EXIT.host,
    });
  }
  return new BootstormError("CGROUP_REFUSED", `cannot write ${at}`, {
    why: REASONS[code] ?? (error as Error).message,
    remedies: REMEDIES[code] ?? [],
    exit: EXIT.host,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  EBUSY: "a group of version 2 with processes in it cannot steer groups below it",
  EINVAL: "the value is outside what the groups above it allow",
};

const REMEDIES: Readonly<Record<string, readonly string[]>> = {
  EBUSY: ["start each VM in a group of its own: systemd-run --scope -p CPUWeight=100 COMMAND"],
};
