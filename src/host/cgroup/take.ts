import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import { cgroupError } from "./failure.ts";
import {
  type Cgroup,
  findCgroup,
  type Hierarchies,
  type NoCgroup,
  readHierarchies,
} from "./hierarchy.ts";
import { dissolve, mark, marksOf, restoreMark } from "./marks.ts";
import { exclusiveGroup, gatherTree } from "./members.ts";
import { ownName, readName } from "./own-name.ts";
import { type Setting, valuesOfLimit, valuesOfWeight, writeSetting } from "./settings.ts";

/**
 * A group whose settings we may change for a while. What they were before is kept in the name of an
 * empty group below it, made before the first change: whoever comes after us can restore it.
 */
export interface TakenCgroup {
  readonly kind: "taken";
  readonly group: Cgroup;
  /** We made it and moved the processes into it. */
  readonly isOurs: boolean;
  /** @param weight  as in version 2: 1 to 10,000, 100 is the default */
  setWeight(weight: number): void;
  /** @param cpus  CPU time for each time that passes: 0.5 is half a CPU */
  setLimit(cpus: number): void;
  setFrozen(isFrozen: boolean): void;
  /** As it was before. */
  restore(setting: Setting): void;
  /** Restores everything; a group of ours gives its processes back and is removed. Safe to call again. */
  release(): void;
}

let made = 0;

/**
 * Takes the group that a process tree has for itself. A tree that shares its group with others is
 * moved, threads and all, into a new group below: what is set above stays in force for it.
 * @param want  what is to be set: which hierarchy of a host can do it differs
 * @throws BootstormError CGROUP_…: see `takeGroup`; CGROUP_REFUSED where version 2 cannot steer below
 * a group that has processes
 */
export function takeTree(
  pid: number,
  want: Setting,
  all: Hierarchies = readHierarchies(),
): TakenCgroup | NoCgroup {
  const group = findCgroup(pid, all, want);
  if (group.kind === "none") return group;
  const own = exclusiveGroup(pid, group);
  return own === undefined ? moveTree(pid, group, want) : takeGroup(own);
}

/**
 * Takes a group with all that is in it.
 * @throws BootstormError CGROUP_TAKEN when another process of bootstorm has it, CGROUP_GONE,
 * CGROUP_NOT_PERMITTED, CGROUP_REFUSED; so do the calls of what is returned
 */
export function takeGroup(group: Cgroup): TakenCgroup {
  const names = [...marksOf(group), readName(basename(group.folder))];
  if (names.some((name) => name?.isHeld)) {
    throw new BootstormError("CGROUP_TAKEN", `cannot use ${group.folder}`, {
      why: "another bootstorm has changed its settings and runs",
      remedies: ["let one of them govern this group"],
      exit: EXIT.host,
    });
  }
  return handleOf(group, false);
}

function moveTree(pid: number, above: Cgroup, want: Setting): TakenCgroup {
  const name = ownName("group", made++);
  const kind = want === "frozen" ? "freeze" : above.kind;
  const group: Cgroup = { kind, path: join(above.path, name), folder: join(above.folder, name) };
  try {
    mkdirSync(group.folder);
  } catch (error) {
    throw cgroupError(above.folder, name, error);
  }
  const ours = handleOf(group, true);
  try {
    if (kind === "v2") enableCpuBelow(above.folder);
    gatherTree(pid, group.folder);
  } catch (error) {
    ours.release();
    throw error;
  }
  return ours;
}

function enableCpuBelow(folder: string): void {
  try {
    writeFileSync(join(folder, "cgroup.subtree_control"), "+cpu");
  } catch (error) {
    throw cgroupError(folder, "cgroup.subtree_control", error);
  }
}

function handleOf(group: Cgroup, isOurs: boolean): TakenCgroup {
  const marked = new Set<Setting>();

  function set(setting: Setting, values: readonly string[]): void {
    if (!marked.has(setting)) mark(group, setting);
    marked.add(setting);
    writeSetting(group, setting, values);
  }

  function restore(isMeant: (setting: string) => boolean): void {
    for (const each of marksOf(group)) {
      if (each.isMine && isMeant(each.what)) restoreMark(group, each);
    }
    for (const setting of marked) if (isMeant(setting)) marked.delete(setting);
  }

  return {
    kind: "taken",
    group,
    isOurs,
    setWeight: (weight) => set("weight", valuesOfWeight(group.kind, weight)),
    setLimit: (cpus) => set("limit", valuesOfLimit(cpus)),
    setFrozen: (isFrozen) => set("frozen", [isFrozen ? "1" : "0"]),
    restore: (setting) => restore((each) => each === setting),
    release() {
      restore(() => true);
      if (isOurs) dissolve(group);
    },
  };
}
