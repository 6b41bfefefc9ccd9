import type { BootsResult } from "../analyze/boots-result.ts";
import { bootsCaveats } from "./boots-caveats.ts";
import { bootsSections } from "./boots-sections.ts";
import { bootsAnswer } from "./boots-sentence.ts";
import type { MoreSteps } from "./investigate-report.ts";
import { prose } from "./prose.ts";

/** Real boots as a part of a report of more than them. */
export function bootsParts(result: BootsResult): MoreSteps {
  return {
    findings: [prose`Real VMs: ${bootsAnswer(result)}`],
    // The report has a timeline and a table of locks of its own.
    sections: bootsSections(result).map((section) => ({
      ...section,
      id: `boots-${section.id}`,
      title: `Real VMs: ${section.title}`,
    })),
    caveats: bootsCaveats(result).map((caveat) => prose`Real VMs: ${caveat}`),
  };
}
