import type { Missing } from "../../core/analyze/investigate.ts";
import type { BootstormError } from "../../core/error.ts";

/** An operating error as something a run could do without. */
export function missingOf(what: string, error: BootstormError): Missing {
  const remedy = error.remedies[0];
  return { what, why: error.why, ...(remedy === undefined ? {} : { remedy }) };
}
