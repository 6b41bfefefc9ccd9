import type { Holder } from "../../../core/govern/permit.ts";
import { findCgroup, groupOfPath, type Hierarchies } from "../../../host/cgroup/hierarchy.ts";
import { membersOf, processTree } from "../../../host/cgroup/members.ts";
import type { Setting } from "../../../host/cgroup/settings.ts";
import { type TakenCgroup, takeGroup, takeTree } from "../../../host/cgroup/take.ts";
import { type CpuUsage, groupUsage, processUsage } from "../../../host/cgroup/usage.ts";
import { holderRuns } from "../holders.ts";

/** Who has a quota: a running guest that came with a permit, or a group that the configuration names. */
export interface Subject {
  readonly key: string;
  readonly kind: "vm" | "group";
  /** Of the VM, or path of the group. */
  readonly name: string;
  /** @returns undefined when it has ended */
  usage(): CpuUsage | undefined;
  /** @returns why it is not ours to govern; undefined: it is */
  refusal(): string | undefined;
  /** @throws BootstormError CGROUP_… */
  take(want: Setting): TakenCgroup | { readonly kind: "none"; readonly why: string };
}

/** A guest is all the processes that descend from the holder of its permit. */
export function guestSubject(vm: string, holder: Holder, all: Hierarchies): Subject {
  const { pid, startTicks } = holder;
  return {
    key: `vm ${pid} ${startTicks}`,
    kind: "vm",
    name: vm,
    usage: () => (holderRuns(holder) ? processUsage(processTree(pid)) : undefined),
    refusal: () => (processTree(pid).has(process.pid) ? HAS_GOVERNOR : undefined),
    take: (want) => takeTree(pid, want, all),
  };
}

export function groupSubject(path: string, all: Hierarchies): Subject {
  const groups = () =>
    (["limit", "frozen"] as const).flatMap((want) => {
      const group = groupOfPath(path, all, want);
      return group.kind === "none" ? [] : [group];
    });
  return {
    key: `group ${path}`,
    kind: "group",
    name: path,
    usage() {
      const [group] = groups();
      if (group === undefined) return undefined;
      return groupUsage(group) ?? processUsage(membersOf(group.folder));
    },
    refusal: () =>
      groups().some(({ folder }) => membersOf(folder).has(process.pid)) ? HAS_GOVERNOR : undefined,
    take(want) {
      const group = groupOfPath(path, all, want);
      return group.kind === "none" ? group : takeGroup(group);
    },
  };
}

const HAS_GOVERNOR = "the governor itself is in it";

/** Is a guest in a group that is governed as a whole? */
export function isInside(pid: number, paths: ReadonlySet<string>, all: Hierarchies): boolean {
  return (["limit", "frozen"] as const).some((want) => {
    const group = findCgroup(pid, all, want);
    if (group.kind === "none") return false;
    return [...paths].some((path) => group.path === path || group.path.startsWith(`${path}/`));
  });
}
