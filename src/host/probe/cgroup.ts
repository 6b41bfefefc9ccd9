import type { CgroupReading } from "../../core/facts/host-readings.ts";
import { readIfThere, readText } from "./file.ts";

/** `cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0` is version 2, type `cgroup` is version 1. */
export function readCgroup(root: string): CgroupReading {
  const mounts = readText(root, "/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" "));
  const v2Path = mounts.find(([, , type]) => type === "cgroup2")?.[1];
  const v1 = mounts.some(([, , type]) => type === "cgroup");
  if (v2Path === undefined) return { mode: v1 ? "v1" : "none", controllers: [] };
  const controllers = readIfThere(root, `${v2Path}/cgroup.controllers`) ?? "";
  return {
    mode: v1 ? "hybrid" : "unified",
    v2Path,
    controllers: controllers.split(" ").filter((name) => name !== ""),
  };
}
