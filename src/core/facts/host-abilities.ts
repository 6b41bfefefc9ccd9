import { cpaGeneration } from "./cpa-generation.ts";
import { type Ability, list } from "./fact-words.ts";
import { kvmAbility, snpVerdict } from "./guest-facts.ts";
import { type HostReadings, isUnreadable, known, type Reading } from "./host-readings.ts";
import { recordingVerdict } from "./recording-facts.ts";
import { spinlockVisibility } from "./spinlock-visibility.ts";

/** What the readings could not see, in sentences. Printed under every answer that uses them. */
export function hostCaveats(readings: HostReadings): readonly string[] {
  const unread = Object.entries(readings as unknown as Record<string, Reading<object>>).flatMap(
    ([subject, reading]) =>
      isUnreadable(reading) ? [`${spaced(subject)} could not be read: ${reading.unreadable}`] : [],
  );
  const log = known(readings.kernelLog);
  if (log?.fromBoot === false) {
    unread.push(`the kernel log no longer reaches back to the boot (${log.source})`);
  }
  if (cpaGeneration(readings).fixes2026 === "unknown") {
    unread.push(
      "a version number does not tell which fixes a stable branch or a distribution has added",
    );
  }
  return unread;
}

/** `kernelLog` → `kernel log`. */
function spaced(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** The jobs of bootstorm that this host allows. */
export interface Abilities {
  /** `pressure`: make the kernel change its direct map. */
  readonly measureDirectMap: Ability;
  /** `contention`: record who waits for a spinlock, as cpa_lock and pgd_lock are. */
  readonly recordLockWaits: Ability;
  /** Call those locks by their names, or by who waits for them. */
  readonly nameLocks: Ability;
  readonly bootKvmGuests: Ability;
  readonly bootSnpGuests: Ability;
  /** Guests without KVM: slow, but anywhere. */
  readonly bootEmulatedGuests: Ability;
}

export function hostAbilities(readings: HostReadings): Abilities {
  const secretmem = known(readings.secretmem);
  const kallsyms = known(readings.kallsyms);
  const qemu = known(readings.qemu);
  const bootKvmGuests = kvmAbility(readings);
  const record = recordingVerdict(readings).ability;
  return {
    measureDirectMap: secretmem === undefined ? "unknown" : yesOrNo(secretmem.usable),
    recordLockWaits: spinlockVisibility(readings) === "none" ? "no" : record,
    nameLocks: kallsyms === undefined ? "unknown" : yesOrNo(kallsyms.addresses),
    bootKvmGuests,
    bootSnpGuests: snpVerdict(readings).ability,
    bootEmulatedGuests: qemu === undefined ? "unknown" : yesOrNo(qemu.installed),
  };
}

function yesOrNo(is: boolean): Ability {
  return is ? "yes" : "no";
}

/** `This host can measure its direct-map contention …; it cannot boot KVM guests.` */
export function hostSummary(readings: HostReadings): string {
  const abilities = hostAbilities(readings);
  const { recordLockWaits, nameLocks, bootKvmGuests, bootSnpGuests } = abilities;
  const jobs: [Ability, string][] = [
    [abilities.measureDirectMap, "measure its direct-map contention"],
    ...(recordLockWaits === "yes" && nameLocks === "yes"
      ? ([["yes", "name the locks waited for"]] satisfies [Ability, string][])
      : ([
          [recordLockWaits, "record lock waits"],
          [nameLocks, "name locks"],
        ] satisfies [Ability, string][])),
    [bootKvmGuests, "boot KVM guests"],
    // Without KVM there is no SNP: one "cannot" says both.
    ...(bootKvmGuests === "yes"
      ? ([[bootSnpGuests, "boot SNP guests"]] as [Ability, string][])
      : []),
    ...(bootKvmGuests !== "yes" && abilities.bootEmulatedGuests === "yes"
      ? ([["yes", "boot emulated guests"]] as [Ability, string][])
      : []),
  ];
  const of = (ability: Ability) => jobs.filter(([is]) => is === ability).map(([, job]) => job);
  const clauses = [
    of("yes").length > 0 ? `can ${list(of("yes"), "and")}` : "",
    of("no").length > 0 ? `cannot ${list(of("no"), "or")}` : "",
    of("unknown").length > 0 ? `may or may not ${list(of("unknown"), "or")}` : "",
  ].filter((clause) => clause !== "");
  const uid = known(readings.process)?.uid;
  const more = uid === undefined || uid === 0 ? "" : " Root may do more.";
  return `This host ${clauses.join("; it ")}.${more}`;
}
