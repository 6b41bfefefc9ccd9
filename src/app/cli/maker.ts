import type { Maker } from "../../core/report/investigate-report.ts";
import { VERSION } from "./version.ts";

/** Who makes a report, and when. */
export function maker(): Maker {
  const at = new Date().toISOString().slice(0, 16).replace("T", " ");
  return { version: VERSION, at: `${at} UTC` };
}
