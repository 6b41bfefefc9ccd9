// What the wide and the narrow picture have in common.
import type { LoadPlace } from "../../../analyze/kernel-ab/result.ts";
import type { Markup } from "../../markup.ts";
import type { Scale } from "../../scale.ts";

export const LINE = 17;
/** Room for a gain's label over its dot. */
export const ROW_MIN = 46;
export const TICKS_BELOW = 24;

export interface Layout {
  readonly places: readonly LoadPlace[];
  readonly scale: Scale;
  readonly width: number;
}

export interface Picture {
  readonly body: readonly Markup[];
  readonly height: number;
}
