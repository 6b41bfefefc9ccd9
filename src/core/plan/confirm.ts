import type { Scenario } from "../scenario/scenario.ts";
import type { Planned } from "./planned.ts";

/** What boots did on a real host that is to be predicted with more of them. */
export interface BootWork {
  /** CPU time of the VMM until ready, alone. */
  readonly cpuNs: number;
  /** What a boot alone took beside that, not for want of a CPU. */
  readonly waitNs: number;
  /** CPU time of a boot among more than there are CPUs, against one alone: caches are shared too. */
  readonly sharing: number;
  /** Threads of others that want a CPU all the time. */
  readonly neighbours: number;
}

/**
 * Threads that want a CPU all the time, from the CPUs that they had beside one boot: where they are
 * fewer than the CPUs each has one, else all share alike.
 */
export function neighboursOf(otherCpus: number, cpus: number): number {
  if (otherCpus <= cpus - 1) return Math.round(otherCpus);
  const left = Math.max(cpus - otherCpus, LEAST_LEFT);
  return Math.round(otherCpus / left);
}

/** A boot that had less of a CPU would not have got ready. */
const LEAST_LEFT = 0.02;

/** A planned number and what a real storm made of it. */
export interface Confirmed {
  readonly predicted: Planned;
  readonly measured: Planned;
}

/** Real boots beside those that were predicted from fewer. Times in ms. */
export interface Confirmation {
  readonly vms: number;
  readonly cap: number;
  /** Repetitions that are compared. */
  readonly rounds: number;
  readonly failed: number;
  /** What the prediction is made of: boots alone, and more at once than there are CPUs. */
  readonly from: {
    readonly boots: number;
    readonly cpuMs: Planned;
    readonly readyMs: Planned;
    readonly sharingVms: number;
    readonly sharing: number;
    readonly neighbours: number;
  };
  /** CPUs that others kept busy, in the rounds with one VM and in those with all. */
  readonly otherCpus: { readonly alone: number; readonly storm: number };
  /** Mean from request to ready. */
  readonly without: Confirmed;
  readonly with: Confirmed;
  /** What the cap takes off that mean: 0.4 is 40 %. */
  readonly gain: Confirmed;
  /** The gain predicted from boots alone, as if sharing cost nothing. */
  readonly gainFromAlone: number;
  /** Measured less predicted gain, in percent points. */
  readonly pointsOff: number;
  /** Of the run, for `storm --from`. */
  readonly folder: string;
}

/**
 * The storm that these boots let expect: each needs the CPU time that it needed alone, more where more
 * are in service than there are CPUs, and waits beside it as long as it did alone; neighbours go on.
 * @param atOnce  VMs in service at most
 */
export function stormOfBoots(
  scenario: Scenario,
  { cpuNs, waitNs, sharing, neighbours }: BootWork,
  { vms, atOnce }: { readonly vms: number; readonly atOnce: number },
): Scenario {
  const [group] = scenario.guests;
  const work = atOnce > scenario.host.cpus ? sharing : 1;
  return {
    ...scenario,
    guests: [
      {
        ...group!,
        count: vms,
        phases: [
          { kind: "run", name: "work", ms: (cpuNs * work) / 1e6 },
          { kind: "wait", name: "wait", ms: waitNs / 1e6 },
        ],
      },
    ],
    arrivals: { kind: "together" },
    background: { ...scenario.background, cpuBurners: neighbours },
    policy: [],
  };
}

/** What a cap takes off the mean: 0.4 is 40 %. */
export function gainOf(withoutNs: number, withNs: number): number {
  return 1 - withNs / withoutNs;
}
