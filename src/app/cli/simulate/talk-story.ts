// The talk's question asked of a modelled SNP host: every design of the ready scenario fixes-ladder,
// how long boots take and whether it is safe. Needs neither privileges nor SNP hardware.
import type { TalkStory } from "../../../core/report/talk-story.ts";
import { verdictJson } from "../check/json.ts";
import { usualVerdicts } from "../check/usual-verdicts.ts";
import type { Session } from "../run.ts";
import { pointJson } from "./json.ts";
import { simulatePoints } from "./run.ts";
import { type ScenarioChange, scenarioWith } from "./scenario.ts";

const SCENARIO = "fixes-ladder";
/** What SNP hosts of 2022 do, and what other callers of the same code do. */
const OPERATIONS = ["set_direct_map", "ro"];
/** One storm without chance a point: a second or two for all. */
const QUICK: readonly ScenarioChange[] = [
  change("set", "run.replications", { kind: "count", count: 1 }),
  change("set", "run.phaseSpread", 0),
  change("sweep", "guests[0].count", [1, 8, 64, 256]),
];

/** @throws BootstormError INTERRUPTED */
export async function talkStory(session: Session): Promise<TalkStory> {
  const { scenario, points } = await scenarioWith(SCENARIO, QUICK);
  const designs = [...new Set(points.map((point) => point.scenario.host.design))];
  return {
    scenario: SCENARIO,
    seed: scenario.run.seed,
    guestMiB: scenario.guests[0]!.memoryMiB,
    cpus: scenario.host.cpus,
    verdicts: await usualVerdicts(session, designs, OPERATIONS),
    points: await simulatePoints(session, points),
    command: `bootstorm simulate ${SCENARIO}`,
  };
}

/** For `--json`. */
export function talkStoryJson({ points, verdicts, ...rest }: TalkStory) {
  return { ...rest, points: points.map(pointJson), verdicts: verdicts.map(verdictJson) };
}

function change(kind: ScenarioChange["kind"], path: string, value: unknown): ScenarioChange {
  return { kind, path, value, flag: `the talk's ${path}` };
}
