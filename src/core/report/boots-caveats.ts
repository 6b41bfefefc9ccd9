import type { BootCaveat } from "../analyze/boot-caveats.ts";
import type { BootsResult } from "../analyze/boots-result.ts";
import { assertNever } from "../assert.ts";
import { formatCount, formatShare } from "../units.ts";
import { ACCELERATOR_WORDS, settingText } from "./boots-words.ts";
import { visibilityCaveats } from "./caveats.ts";
import { code, type Prose, prose } from "./prose.ts";
import { ratioWithInterval } from "./sentence.ts";
import { counted } from "./words.ts";

const WHY_CHARS_MAX = 300;

/** What to doubt in real boots, and what was not seen of them. */
export function bootsCaveats(result: BootsResult): readonly Prose[] {
  const { caveats, spinlockVisibility } = result;
  return [
    ...caveats.map(caveatProse),
    ...(spinlockVisibility === undefined ? [] : visibilityCaveats(spinlockVisibility)),
    ...nameCaveats(result),
  ];
}

function caveatProse(caveat: BootCaveat): Prose {
  switch (caveat.kind) {
    case "emulated":
      return prose`QEMU emulated the guests' CPUs: ratios, shapes and who waits for what carry over to hardware, times do not.`;
    case "several-accelerators":
      return prose`VMs of one round ran differently: ${caveat.accelerators.map((each) => ACCELERATOR_WORDS[each]).join(", ")}. Their times are mixed.`;
    case "few-rounds":
      return prose`A point has only ${counted(caveat.rounds, "round")}: below 6 there is no 95 % interval, and bars are the smallest and the largest.`;
    case "failed-beside":
      return prose`In ${caveat.rounds} of ${counted(caveat.ofRounds, "round")} a VM failed. The others of these rounds had less company, and their times count.`;
    case "none-ready":
      return prose`No VM got ready with ${caveat.settings.map(settingText).join("; ")}: these points have no times.`;
    case "other-load":
      return prose`The host did other work: with ${settingText(caveat.worst)} it came to ${formatShare(caveat.share)} of the VMs' own CPU time.`;
    case "no-cpu-times":
      return prose`How long vCPUs ran and waited for a CPU was not read: the slowdown cannot be explained.`;
    case "no-run-delay":
      return prose`How long vCPUs waited for a CPU was not read (it needs ${code("/proc/PID/schedstat")}, CONFIG_SCHED_INFO): it is in the unexplained part.`;
    case "locks-not-recorded":
      return prose`Lock waits were not recorded during the boots: what part of the slowdown they are is open.`;
    case "locks-not-compared":
      return prose`Lock waits with the fewest VMs were not recorded: what part of the slowdown they are is open.`;
    case "vcpus-unknown":
      return prose`The VMM's threads have no names to tell vCPUs by: lock waits cannot be told from CPU time.`;
    case "events-lost":
      return prose`${formatCount(caveat.lost)} lock events were lost beside ${formatCount(caveat.events)} kept, in all recordings: waits are undercounted.`;
    case "recorder-held-up":
      return prose`Up to ${formatShare(caveat.share)} of the lock waits with ${settingText(caveat.worst)} may be the recorder's own doing: it walks the call stack of each waiter.`;
    case "recorder-price":
      return prose`Recording has a price: rounds that were run only for it took ${ratioWithInterval(caveat.ratio)} the time of others. No boot time above is from them.`;
    case "out-of-order":
      return prose`Of ${counted(caveat.boots, "boot")} a milestone was told later than one that follows it, and is not used.`;
    case "pairs-left-out":
      return prose`${counted(caveat.pairs, "pair")} of rounds ${caveat.pairs === 1 ? "was" : "were"} not compared, because a VM failed in one of them.`;
    case "consoles-cut":
      return prose`The console of ${counted(caveat.boots, "boot")} is not on disk as a whole: ${caveat.why.slice(0, WHY_CHARS_MAX)}.`;
    case "rejected":
      return prose`${counted(caveat.lines, "line")} of the rounds' file could not be read; the reasons are counted below.`;
    default:
      return assertNever(caveat);
  }
}

function nameCaveats({ locks }: BootsResult): readonly Prose[] {
  const guessed = new Set(
    locks.flatMap((point) =>
      point.locks.flatMap(({ lock }) => (lock.evidence === "caller" ? [lock.name] : [])),
    ),
  );
  if (guessed.size === 0) return [];
  const names = [...guessed].flatMap((name, i) => (i === 0 ? [code(name)] : [", ", code(name)]));
  return [
    prose`Named by the functions that wait for them, because this kernel's symbol table does not list locks: ${names}.`,
  ];
}
