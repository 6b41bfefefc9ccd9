import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ABSENT, cgroupError, errnoOf } from "./failure.ts";
import type { Cgroup } from "./hierarchy.ts";

/** Of one group or one tree; a host with more has something else wrong. */
const PROCESSES_MAX = 10_000;
const FOLDERS_MAX = 1_000;

/** A process and all that descend from it. @returns nothing when it has ended */
export function processTree(pid: number): ReadonlySet<number> {
  const tree = new Set<number>();
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (tree.has(next) || tree.size >= PROCESSES_MAX) continue;
    const children = childrenOf(next);
    if (children === undefined) continue;
    tree.add(next);
    open.push(...children);
  }
  return tree;
}

/** @returns undefined when the process has ended */
function childrenOf(pid: number): readonly number[] | undefined {
  try {
    // Each thread has the children that it started (CONFIG_PROC_CHILDREN).
    return readdirSync(`/proc/${pid}/task`).flatMap((tid) => childrenOfThread(pid, tid));
  } catch {
    return undefined;
  }
}

function childrenOfThread(pid: number, tid: string): number[] {
  try {
    return numbersOf(readFileSync(`/proc/${pid}/task/${tid}/children`, "latin1"));
  } catch {
    return []; // The thread has ended.
  }
}

/**
 * Processes of a group and of all groups below it.
 * @throws BootstormError CGROUP_…
 */
export function membersOf(folder: string): ReadonlySet<number> {
  return new Set(foldersBelow(folder).flatMap(membersOfFolder));
}

/** @throws BootstormError CGROUP_… */
function membersOfFolder(folder: string): number[] {
  try {
    return numbersOf(readFileSync(join(folder, "cgroup.procs"), "latin1")).slice(0, PROCESSES_MAX);
  } catch (error) {
    // A threaded group of version 2: its processes are listed by the group above.
    if (errnoOf(error) === "EOPNOTSUPP" || ABSENT.includes(errnoOf(error))) return [];
    throw cgroupError(folder, "cgroup.procs", error);
  }
}

/** A tree that forks while it is moved leaves children behind, fewer each time. */
const ROUNDS_MAX = 10;

/** Moves into a group what of a tree is outside of it. */
export function gatherTree(pid: number, folder: string): void {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const inside = membersOf(folder);
    const outside = [...processTree(pid)].filter((each) => !inside.has(each));
    if (outside.length === 0) return;
    for (const each of outside) moveProcess(each, folder);
  }
}

/** With all its threads. One that has ended needs no move. */
export function moveProcess(pid: number, folder: string): void {
  try {
    writeFileSync(join(folder, "cgroup.procs"), String(pid));
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw cgroupError(folder, "cgroup.procs", error);
  }
}

/** A group and those below it, parents first. */
export function foldersBelow(folder: string, most = FOLDERS_MAX): readonly string[] {
  const found = [folder];
  for (let at = 0; at < found.length && found.length < most; at += 1) {
    found.push(...childFolders(found[at]!));
  }
  return found.slice(0, most);
}

function childFolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(folder, name));
  } catch {
    return []; // Removed while we looked.
  }
}

/**
 * The highest group above a process, its own included, whose processes all descend from it: what is
 * set there meets nobody else. libvirt has one for each VM, with others below for its threads.
 * @param group  in which the process is
 * @returns undefined when it shares even its own group with others
 */
export function exclusiveGroup(pid: number, group: Cgroup): Cgroup | undefined {
  const tree = processTree(pid);
  let found: Cgroup | undefined;
  for (let next = group; next.path !== "/"; next = parentOf(next)) {
    if (![...membersOf(next.folder)].every((member) => tree.has(member))) break;
    found = next;
  }
  return found;
}

function parentOf({ kind, path, folder, accounting }: Cgroup): Cgroup {
  return {
    kind,
    path: dirname(path),
    folder: dirname(folder),
    ...(accounting === undefined ? {} : { accounting: dirname(accounting) }),
  };
}

function numbersOf(text: string): number[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== "")
    .map(Number);
}
