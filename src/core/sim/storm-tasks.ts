import type { StormSetup } from "./setup.ts";

/**
 * The tasks of a storm by number: the leaders of all VMs (task v leads VM v), then their helpers, VM
 * by VM, then background.
 */
export interface StormTasks {
  readonly count: number;
  /** By task; -1: background. */
  readonly vmOf: Int32Array;
  /** Helpers of VM v are the tasks from `helpers[v]` up to `helpers[v + 1]`. */
  readonly helpers: Int32Array;
  /** The first task of the background. */
  readonly background: number;
}

export function stormTasks({ vms, background }: StormSetup): StormTasks {
  const helpers = new Int32Array(vms.length + 1);
  helpers[0] = vms.length;
  vms.forEach((vm, v) => {
    helpers[v + 1] = helpers[v]! + vm.tasks - 1;
  });
  const firstBackground = helpers[vms.length]!;
  const vmOf = new Int32Array(firstBackground + background.length).fill(-1);
  vms.forEach((_, v) => {
    vmOf[v] = v;
    vmOf.fill(v, helpers[v]!, helpers[v + 1]!);
  });
  return { count: vmOf.length, vmOf, helpers, background: firstBackground };
}
