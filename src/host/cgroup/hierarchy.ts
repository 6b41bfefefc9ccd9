import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Setting } from "./settings.ts";

/**
 * A control group by which CPU time can be steered. `v2`: has the cpu controller of version 2. `v1`:
 * of the cpu controller of version 1. `freeze`: of version 2 without the cpu controller, which can
 * only be frozen. Source: Documentation/admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst.
 */
export interface Cgroup {
  readonly kind: "v2" | "v1" | "freeze";
  /** From the mount on: `/machine.slice/machine-qemu-1.scope`. */
  readonly path: string;
  readonly folder: string;
  /** Version 1: the folder that counts its CPU time, where there is one. */
  readonly accounting?: string;
}

/** There is no such group, and why. */
export interface NoCgroup {
  readonly kind: "none";
  readonly why: string;
}

/** Where the hierarchies of this host are mounted. */
export interface Hierarchies {
  readonly v2?: string;
  readonly v1Cpu?: string;
  readonly v1Cpuacct?: string;
}

/**
 * `cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0` is version 2; version 1 has its controllers among
 * the options: `cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0`.
 * @param mounts  of /proc/self/mounts
 */
export function readHierarchies(mounts = readFileSync("/proc/self/mounts", "utf8")): Hierarchies {
  const rows = mounts.split("\n").map((line) => line.split(" "));
  const v1 = (controller: string) =>
    rows.find(
      ([, , type, options = ""]) => type === "cgroup" && options.split(",").includes(controller),
    );
  const v2 = rows.find(([, , type]) => type === "cgroup2")?.[1];
  const v1Cpu = v1("cpu")?.[1];
  const v1Cpuacct = v1("cpuacct")?.[1];
  return {
    ...(v2 === undefined ? {} : { v2 }),
    ...(v1Cpu === undefined ? {} : { v1Cpu }),
    ...(v1Cpuacct === undefined ? {} : { v1Cpuacct }),
  };
}

/** Only version 2 can freeze here; for CPU time it goes first where it has the cpu controller. */
function bestOf(v2: Cgroup | undefined, v1: Cgroup | undefined, want: Setting): Cgroup | undefined {
  if (want === "frozen") return v2;
  return v2?.kind === "v2" ? v2 : v1;
}

/** The group in which a process is, of the hierarchy that can do what is wanted. */
export function findCgroup(
  pid: number,
  hierarchies: Hierarchies,
  want: Setting,
): Cgroup | NoCgroup {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/cgroup`, "latin1");
  } catch {
    return { kind: "none", why: `there is no process ${pid}` };
  }
  return groupOfProcess(text, hierarchies, want);
}

/** @param text  of /proc/PID/cgroup: `1:cpu:/`, `4:cpu,cpuacct:/user.slice`, `0::/init.scope` */
export function groupOfProcess(
  text: string,
  hierarchies: Hierarchies,
  want: Setting,
): Cgroup | NoCgroup {
  const lines = text.split("\n").map((line) => /^(\d+):([^:]*):(\/.*)$/.exec(line));
  const v2Path = lines.find((line) => line?.[1] === "0")?.[3];
  const v1Path = lines.find((line) => line?.[2]?.split(",").includes("cpu"))?.[3];
  const v2 = v2Path === undefined ? undefined : v2Group(hierarchies, v2Path);
  const v1 = v1Path === undefined ? undefined : v1Group(hierarchies, v1Path);
  return bestOf(v2, v1, want) ?? lacking(want);
}

/** The group of that path, of the hierarchy that can do what is wanted and has it. */
export function groupOfPath(
  path: string,
  hierarchies: Hierarchies,
  want: Setting,
): Cgroup | NoCgroup {
  const [v2, v1] = [v2Group(hierarchies, path), v1Group(hierarchies, path)].map((group) =>
    group !== undefined && existsSync(group.folder) ? group : undefined,
  );
  return bestOf(v2, v1, want) ?? lacking(want);
}

function v2Group({ v2 }: Hierarchies, path: string): Cgroup | undefined {
  if (v2 === undefined) return undefined;
  const folder = join(v2, path);
  return { kind: hasCpuController(folder) ? "v2" : "freeze", path, folder };
}

/** Both controllers mostly share a mount. Where they do not, groups of one name are taken as one. */
function v1Group({ v1Cpu, v1Cpuacct }: Hierarchies, path: string): Cgroup | undefined {
  if (v1Cpu === undefined) return undefined;
  const accounting = v1Cpuacct === undefined ? undefined : join(v1Cpuacct, path);
  return {
    kind: "v1",
    path,
    folder: join(v1Cpu, path),
    ...(accounting !== undefined && existsSync(accounting) ? { accounting } : {}),
  };
}

/** `cpuset cpu io memory pids`: what the parent has enabled for this group. */
function hasCpuController(folder: string): boolean {
  try {
    return /\bcpu\b/.test(readFileSync(`${folder}/cgroup.controllers`, "utf8"));
  } catch {
    return false; // Gone; who uses it is told.
  }
}

function lacking(want: Setting): NoCgroup {
  const what = want === "frozen" ? "is of version 2" : "has a cpu controller";
  return { kind: "none", why: `no cgroup of it ${what}` };
}
