import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { assert } from "../../core/assert.ts";
import { ABSENT, cgroupError, errnoOf } from "./failure.ts";
import { type Cgroup, type Hierarchies, readHierarchies } from "./hierarchy.ts";
import { foldersBelow, membersOf, moveProcess } from "./members.ts";
import { type OwnedName, ownName, readName } from "./own-name.ts";
import { readSetting, type Setting, writeSetting } from "./settings.ts";

/** An empty group that keeps in its name what a setting of its parent was before we changed it. */
export interface Mark extends OwnedName {
  readonly folder: string;
}

/** @throws BootstormError CGROUP_GONE */
export function marksOf({ folder }: Cgroup): readonly Mark[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (ABSENT.includes(errnoOf(error))) return [];
    throw cgroupError(folder, "", error);
  }
  return names.flatMap((name) => {
    const owned = readName(name);
    return owned === undefined || owned.what === "group"
      ? []
      : [{ ...owned, folder: join(folder, name) }];
  });
}

/** Keeps what a setting is now, unless it was kept before. */
export function mark(group: Cgroup, setting: Setting): void {
  if (marksOf(group).some(({ isMine, what }) => isMine && what === setting)) return;
  const name = ownName(setting, ...readSetting(group, setting));
  assert(readName(name) !== undefined, `the kernel's value is fit for a name: ${name}`);
  try {
    mkdirSync(join(group.folder, name));
  } catch (error) {
    throw cgroupError(group.folder, name, error);
  }
}

/** As it was; the mark goes only after. A group that is gone needs nothing. */
export function restoreMark(group: Cgroup, { what, values, folder }: Mark): void {
  try {
    writeSetting(group, what as Setting, values);
  } catch (error) {
    if (existsSync(group.folder)) throw error;
  }
  removeFolder(folder);
}

/** Gives the processes of a group of ours back to the group above, and removes it. */
export function dissolve({ folder }: Pick<Cgroup, "folder">): void {
  for (let round = 0; round < ROUNDS_MAX && existsSync(folder); round += 1) {
    for (const pid of membersOf(folder)) moveProcess(pid, dirname(folder));
    if (removeFolder(folder)) return;
  }
}

/** What forks while it is moved leaves children behind, fewer each time. */
const ROUNDS_MAX = 10;

/** @returns is it gone? A group with processes stays. */
function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return ABSENT.includes(errnoOf(error));
  }
}

const FOLDERS_MAX = 20_000;

/**
 * Restores and removes what runs of ours left that were killed. Of other containers we cannot tell.
 * @returns the groups that were set right, and why others were not
 */
export function sweepCgroups(hierarchies: Hierarchies = readHierarchies()): {
  readonly restored: readonly string[];
  readonly kept: readonly string[];
} {
  const restored: string[] = [];
  const kept: string[] = [];
  for (const [kind, mount] of [
    ["v2", hierarchies.v2],
    ["v1", hierarchies.v1Cpu],
  ] as const) {
    if (mount === undefined) continue;
    // Children first: a group of ours may have marks in it.
    for (const folder of foldersBelow(mount, FOLDERS_MAX).toReversed()) {
      const owned = readName(basename(folder));
      if (owned === undefined || owned.isHeld || owned.isMine) continue;
      const parent: Cgroup = {
        kind,
        path: dirname(folder).slice(mount.length),
        folder: dirname(folder),
      };
      try {
        if (owned.what === "group") dissolve({ folder });
        else restoreMark(parent, { ...owned, folder });
        if (existsSync(folder)) kept.push(`${folder}: its processes do not leave`);
        else restored.push(folder);
      } catch (error) {
        kept.push(`${folder}: ${(error as Error).message}`);
      }
    }
  }
  return { restored, kept };
}
