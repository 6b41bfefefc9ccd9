import type { StormPoint } from "../../../core/analyze/storm-point.ts";

/** A point as `--json` prints it: the swept fields stand beside the rest, by their paths. */
export function pointJson({ fields, vms, ...rest }: StormPoint) {
  return {
    vms,
    ...Object.fromEntries(fields.map(({ path, value }) => [path, value])),
    ...rest,
  };
}
