import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { groupOfPath, groupOfProcess, readHierarchies } from "./hierarchy.ts";
import { takeGroup } from "./take.ts";
import { groupUsage, readCpuStat } from "./usage.ts";

// Folders that stand for the mounts of hosts of other kinds than this one.
let mount: string;
beforeEach(() => {
  mount = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
});
afterEach(() => rmSync(mount, { recursive: true }));

/** @param files  their contents by path */
function folder(path: string, files: Readonly<Record<string, string>> = {}): string {
  mkdirSync(join(mount, path), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(mount, path, name), text);
  return join(mount, path);
}

test.each([
  [
    "version 2 alone (systemd since 2019)",
    "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n",
    { v2: "/sys/fs/cgroup" },
  ],
  [
    "version 1 with cpu and cpuacct in one mount, version 2 beside",
    "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n" +
      "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n",
    {
      v2: "/sys/fs/cgroup/unified",
      v1Cpu: "/sys/fs/cgroup/cpu,cpuacct",
      v1Cpuacct: "/sys/fs/cgroup/cpu,cpuacct",
    },
  ],
  [
    "cpuset is not cpu",
    "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\nproc /proc proc rw,cpu 0 0\n",
    {},
  ],
])("mounts: %s", (_story, mounts, expected) => {
  expect(readHierarchies(mounts)).toEqual(expected);
});

test("version 2 with the cpu controller goes first; a path may hold colons", () => {
  folder("v2/a:b.scope", { "cgroup.controllers": "cpuset cpu io\n" });
  const all = { v2: join(mount, "v2"), v1Cpu: join(mount, "v1") };
  const text = "12:cpu,cpuacct:/one\n1:name=systemd:/other\n0::/a:b.scope\n";
  expect(groupOfProcess(text, all, "limit")).toEqual({
    kind: "v2",
    path: "/a:b.scope",
    folder: join(mount, "v2/a:b.scope"),
  });
});

test("version 2 without it can only freeze; version 1 limits, and says where it counts", () => {
  folder("v2/vm", { "cgroup.controllers": "memory cpuset\n" });
  const counts = folder("cpuacct/vm");
  const all = {
    v2: join(mount, "v2"),
    v1Cpu: join(mount, "v1"),
    v1Cpuacct: join(mount, "cpuacct"),
  };
  const text = "2:cpuacct:/vm\n1:cpu:/vm\n0::/vm\n";
  expect(groupOfProcess(text, all, "frozen")).toMatchObject({ kind: "freeze" });
  expect(groupOfProcess(text, all, "limit")).toEqual({
    kind: "v1",
    path: "/vm",
    folder: join(mount, "v1/vm"),
    accounting: counts,
  });
});

test("where nothing can do it, it says so", () => {
  expect(groupOfProcess("0::/vm\n", {}, "limit")).toEqual({
    kind: "none",
    why: "no cgroup of it has a cpu controller",
  });
  expect(groupOfProcess("1:cpu:/vm\n", { v1Cpu: mount }, "frozen")).toMatchObject({ kind: "none" });
  expect(groupOfPath("/gone", { v2: mount }, "frozen")).toMatchObject({ kind: "none" });
});

test("version 2: weight and limit are set in its units and restored to what they were", () => {
  const at = folder("vm", {
    "cgroup.controllers": "cpu\n",
    "cpu.weight": "250\n",
    "cpu.max": "max 100000\n",
  });
  const group = groupOfPath("/vm", { v2: mount }, "limit");
  if (group.kind === "none") throw new Error(group.why);
  const taken = takeGroup(group);
  const values = () =>
    ["cpu.weight", "cpu.max"].map((file) => readFileSync(join(at, file), "latin1"));
  taken.setWeight(1e9);
  taken.setLimit(1.5);
  expect(values()).toEqual(["10000", "30000 20000"]);
  taken.setLimit(0);
  expect(values()[1]).toBe("1000 20000");
  taken.release();
  expect(values()).toEqual(["250", "max 100000"]);
  expect(readdirSync(at).filter((name) => name.startsWith("bootstorm"))).toEqual([]);
  rmSync(at, { recursive: true });
  expect(() => taken.setWeight(1)).toThrow("cannot use");
  expect(() => taken.release()).not.toThrow();
  expect(existsSync(at)).toBe(false);
});

test("CPU time in nanoseconds, of either version; of a root or a gone group none", () => {
  const text = "usage_usec 5310\nuser_usec 4212\nsystem_usec 1098\nnr_periods 0\n";
  expect(readCpuStat(text)).toEqual({ userNs: 4_212_000, systemNs: 1_098_000 });
  expect(readCpuStat("usage_usec 5310\n")).toBeUndefined();
  const accounting = folder("acct", { "cpuacct.usage_user": "12\n", "cpuacct.usage_sys": "34\n" });
  const group = { kind: "v1", path: "/acct", folder: mount, accounting } as const;
  expect(groupUsage(group)).toEqual({ userNs: 12, systemNs: 34 });
  expect(groupUsage({ ...group, path: "/" })).toBeUndefined();
  expect(groupUsage({ kind: "v2", path: "/gone", folder: join(mount, "gone") })).toBeUndefined();
});
