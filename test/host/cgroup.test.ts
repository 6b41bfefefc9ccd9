// Groups of processes, with real ones: taken, set, given back, and set right after a killed owner.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { slicesOf } from "../../src/core/govern/quota.ts";
import { findCgroup, readHierarchies } from "../../src/host/cgroup/hierarchy.ts";
import { sweepCgroups } from "../../src/host/cgroup/marks.ts";
import { groupsMatching } from "../../src/host/cgroup/match.ts";
import { exclusiveGroup, membersOf, processTree } from "../../src/host/cgroup/members.ts";
import { startPauses } from "../../src/host/cgroup/pauses.ts";
import type { Setting } from "../../src/host/cgroup/settings.ts";
import { type TakenCgroup, takeGroup, takeTree } from "../../src/host/cgroup/take.ts";
import { processUsage } from "../../src/host/cgroup/usage.ts";
import { needs } from "../needs.ts";

const CPU = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup/unified";
const OWNER = fileURLToPath(new URL("../fixtures/cgroup-owner.ts", import.meta.url));

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

beforeEach((ctx) => {
  const missing = needs("root", `file ${CPU}/cpu.shares`, `file ${V2}/cgroup.procs`);
  if (missing) ctx.skip(missing);
});

/** A shell with a child, both of which compute; with their pids. */
async function startTree(): Promise<{ pid: number; all: readonly number[] }> {
  const child = spawn("sh", ["-c", "sh -c 'echo $$; while :; do :; done' & while :; do :; done"], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  cleanups.push(() => void killGroup(child));
  const [said] = await once(child.stdout, "data");
  return { pid: child.pid!, all: [child.pid!, Number(said)] };
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function take(pid: number, want: Setting): TakenCgroup {
  const taken = takeTree(pid, want);
  if (taken.kind === "none") throw new Error(taken.why);
  cleanups.push(() => taken.release());
  return taken;
}

const pathOf = (pid: number, want: Setting) => {
  const group = findCgroup(pid, readHierarchies(), want);
  return group.kind === "none" ? undefined : group.path;
};

const read = (...path: string[]) => readFileSync(join(...path), "latin1").trim();

test.each<[Setting, string]>([
  ["limit", CPU],
  ["frozen", V2],
])(
  "%s: a tree that shares its group is moved, children too, and comes back",
  async (want, mount) => {
    const { pid, all } = await startTree();
    const before = pathOf(pid, want);
    const taken = take(pid, want);
    expect(taken.isOurs).toBe(true);
    expect(taken.group.folder.startsWith(mount)).toBe(true);
    expect([...membersOf(taken.group.folder)].sort()).toEqual([...all].sort());
    taken.release();
    expect(all.map((each) => pathOf(each, want))).toEqual(all.map(() => before));
    expect(existsSync(taken.group.folder)).toBe(false);
    taken.release();
  },
);

test("a group that a tree has for itself is taken as it is, and is as before in the end", async () => {
  const folder = join(CPU, "bootstorm-test-own");
  mkdirSync(folder);
  cleanups.push(() => rmdirSync(folder));
  writeFileSync(join(folder, "cpu.shares"), "777");
  const { pid, all } = await startTree();
  for (const each of all) writeFileSync(join(folder, "cgroup.procs"), String(each));
  cleanups.push(() => {
    for (const each of all) writeFileSync(join(CPU, "cgroup.procs"), String(each));
  });
  const taken = take(pid, "weight");
  expect(taken.isOurs).toBe(false);
  taken.setWeight(200);
  taken.setWeight(300);
  taken.setLimit(0.5);
  expect(read(folder, "cpu.shares")).toBe("3072");
  expect(read(folder, "cpu.cfs_quota_us")).toBe("10000");
  expect(read(folder, "cpu.cfs_period_us")).toBe("20000");
  taken.restore("limit");
  expect([read(folder, "cpu.cfs_quota_us"), read(folder, "cpu.cfs_period_us")]).toEqual([
    "-1",
    "100000",
  ]);
  expect(read(folder, "cpu.shares")).toBe("3072");
  taken.release();
  expect(read(folder, "cpu.shares")).toBe("777");
  expect(readdirSync(folder).filter((name) => name.startsWith("bootstorm"))).toEqual([]);
});

test("one process more from elsewhere, and the group is not the tree's own", async () => {
  const folder = join(CPU, "bootstorm-test-shared");
  mkdirSync(folder);
  cleanups.push(() => rmdirSync(folder));
  const [one, other] = [await startTree(), await startTree()];
  for (const pid of [one.pid, one.all[1]!, other.pid]) {
    writeFileSync(join(folder, "cgroup.procs"), String(pid));
    cleanups.push(() => writeFileSync(join(CPU, "cgroup.procs"), String(pid)));
  }
  const group = findCgroup(one.pid, readHierarchies(), "limit");
  if (group.kind === "none") throw new Error(group.why);
  expect(exclusiveGroup(one.pid, group)).toBeUndefined();
  writeFileSync(join(CPU, "cgroup.procs"), String(other.pid));
  expect(exclusiveGroup(one.pid, group)?.path).toBe("/bootstorm-test-shared");
});

test("a pattern finds groups by names, level by level, and never leads upwards", () => {
  for (const path of ["bootstorm-test-m", "bootstorm-test-m/vm-1", "bootstorm-test-m/other"]) {
    mkdirSync(join(CPU, path));
    cleanups.push(() => rmdirSync(join(CPU, path)));
  }
  const find = (pattern: string) => groupsMatching(pattern, readHierarchies());
  expect(find("bootstorm-test-m/vm*")).toEqual(["/bootstorm-test-m/vm-1"]);
  expect(find("/bootstorm-t*-m/*").toSorted()).toEqual([
    "/bootstorm-test-m/other",
    "/bootstorm-test-m/vm-1",
  ]);
  for (const pattern of ["/", "", "..", "bootstorm-test-m/..", "bootstorm.test-m"]) {
    expect(find(pattern)).toEqual([]);
  }
});

test("what an owner that was killed has left is set right: values, groups, processes", async () => {
  const folder = join(CPU, "bootstorm-test-left");
  mkdirSync(folder);
  cleanups.push(() => rmdirSync(folder));
  const { pid, all } = await startTree();
  const before = all.map((each) => pathOf(each, "limit"));
  const owner = spawn(
    process.execPath,
    ["--import", "tsx", OWNER, String(pid), "/bootstorm-test-left"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  cleanups.push(() => void owner.kill("SIGKILL"));
  await once(owner.stdout, "data");
  expect(read(folder, "cpu.shares")).toBe("5120");
  expect(pathOf(pid, "limit")).not.toBe(before[0]);
  // While it lives nobody else touches its groups.
  expect(sweepCgroups().restored).toEqual([]);
  expect(() => takeGroup({ kind: "v1", path: "/bootstorm-test-left", folder })).toThrow(
    "cannot use",
  );
  owner.kill("SIGKILL");
  await once(owner, "close");
  expect(sweepCgroups().kept).toEqual([]);
  expect(all.map((each) => pathOf(each, "limit"))).toEqual(before);
  expect(read(folder, "cpu.shares")).toBe("1024");
  expect(readdirSync(folder).filter((name) => name.startsWith("bootstorm"))).toEqual([]);
});

test("a tree that is paused goes on by itself when who paused it was killed", async () => {
  const { pid } = await startTree();
  const owner = spawn(process.execPath, ["--import", "tsx", OWNER, String(pid), "pause"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  cleanups.push(() => void owner.kill("SIGKILL"));
  const [folder] = String((await once(owner.stdout, "data"))[0]).split("\n");
  cleanups.push(() => void sweepCgroups());
  await vi.waitFor(() => expect(read(folder!, "cgroup.freeze")).toBe("1"), {
    timeout: 60_000,
    interval: 1,
  });
  owner.kill("SIGKILL");
  await once(owner, "close");
  await vi.waitFor(() => expect(read(folder!, "cgroup.freeze")).toBe("0"), { timeout: 60_000 });
  const usage = processUsage(processTree(pid)).userNs;
  await vi.waitFor(() => expect(processUsage(processTree(pid)).userNs).toBeGreaterThan(usage), {
    timeout: 60_000,
  });
});

test("pauses end with the group, and say why", async () => {
  const { pid, all } = await startTree();
  const taken = take(pid, "frozen");
  const failed = new Promise((resolve) => {
    const pauses = startPauses(taken, slicesOf(0.5), resolve);
    cleanups.push(() => pauses.stop());
  });
  for (const each of all) process.kill(each, "SIGKILL");
  await vi.waitFor(
    () => {
      taken.release();
      expect(existsSync(taken.group.folder)).toBe(false);
    },
    { timeout: 60_000 },
  );
  await expect(failed).resolves.toMatchObject({ code: "CGROUP_GONE" });
});
