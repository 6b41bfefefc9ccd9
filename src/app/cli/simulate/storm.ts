// Between the simulator's words and the analysis'.
import type { StormRun } from "../../../core/analyze/storm-run.ts";
import type { StormResult } from "../../../core/sim/result.ts";

export function stormRunOf(result: StormResult): StormRun {
  const { vms, makespanNs, locks, cpu, grain, errorBound } = result;
  const mean = (value: (vm: StormResult["vms"][number]) => number) =>
    vms.reduce((sum, vm) => sum + value(vm), 0) / vms.length;
  const phases = [...new Set(vms.flatMap((vm) => Object.keys(vm.phasesNs)))];
  return {
    bootsNs: Float64Array.from(vms, (vm) => vm.bootNs),
    makespanNs,
    locks: locks.map(({ name, waitNsTotal, holdNsTotal, utilisation, shareOfBoot }) => ({
      name,
      waitNs: waitNsTotal,
      holdNs: holdNsTotal,
      utilisation,
      shareOfBoot,
    })),
    phasesNs: Object.fromEntries(
      phases.map((name) => [name, mean((vm) => vm.phasesNs[name] ?? 0)]),
    ),
    heldBackNs: mean((vm) => vm.admittedNs - vm.requestedNs + vm.heldBackNs),
    cpu,
    grain,
    errorBound,
  };
}
