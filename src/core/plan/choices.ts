import type { Scenario, ScenarioGuests } from "../scenario/scenario.ts";

/** Another guest, kernel or host, to be simulated beside what there is. */
export interface Choice {
  readonly name: string;
  readonly scenario: Scenario;
}

/** Designs that readers ask for: the patch that was refused, and the lock that the talk put in its place. */
const DESIGNS = ["no-cpa-lock", "per-pmd-lock"];
/** Firmware cannot be much smaller. */
const FIRMWARE_MIB_LEAST = 1;

/** What else there is to choose; nothing that the scenario has already, or that no boot of it would feel. */
export function choicesFor(scenario: Scenario): Choice[] {
  const { host, guests } = scenario;
  const accepts = has(guests, "accept");
  const changedHost = (change: Partial<Scenario["host"]>): Scenario => ({
    ...scenario,
    host: { ...host, ...change },
  });
  const changedGuests = (change: (group: ScenarioGuests) => ScenarioGuests): Scenario => ({
    ...scenario,
    guests: guests.map(change),
  });
  const choices: (Choice | false)[] = [
    accepts &&
      guests.some(({ acceptance }) => acceptance === "eager") && {
        name: "lazy acceptance",
        scenario: changedGuests((group) => ({ ...group, acceptance: "lazy" })),
      },
    has(guests, "launch") &&
      guests.some(({ firmwareMiB }) => firmwareMiB > FIRMWARE_MIB_LEAST) && {
        name: "firmware of half the size",
        scenario: changedGuests((group) => ({ ...group, firmwareMiB: group.firmwareMiB / 2 })),
      },
    accepts &&
      host.kernel === "2022" && {
        name: "kernel 6.9 or later",
        scenario: changedHost({ kernel: "6.9+" }),
      },
    ...DESIGNS.map(
      (design) =>
        accepts && host.design !== design && { name: design, scenario: changedHost({ design }) },
    ),
    {
      name: "twice the CPUs",
      scenario: changedHost({ cpus: 2 * host.cpus, sockets: 2 * host.sockets }),
    },
  ];
  return choices.filter((choice) => choice !== false);
}

function has(guests: readonly ScenarioGuests[], kind: "accept" | "launch"): boolean {
  return guests.some(({ phases }) => phases.some((phase) => phase.kind === kind));
}
