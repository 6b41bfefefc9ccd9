import type { Markup } from "./markup.ts";
import { niceLinear } from "./scale.ts";
import { svgLine, svgText } from "./svg.ts";

/** The lines a time axis needs below its own. */
export const TIME_AXIS_HEIGHT = 46;

/** An axis from 0 with round ticks. @param label  followed by the unit */
export function timeAxis(
  spanNs: number,
  label: string,
  at: { x(ns: number): number; left: number; right: number; y: number },
): readonly Markup[] {
  const [unit, size] = unitOf(spanNs);
  const scale = niceLinear(0, spanNs / size, Math.max(3, Math.floor((at.right - at.left) / 90)));
  const ticks = scale.ticks.filter((tick) => tick * size <= spanNs);
  return [
    svgLine([at.left, at.y, at.right, at.y], "muted"),
    ...ticks.flatMap((tick) => {
      const x = at.x(tick * size);
      return [
        svgLine([x, at.y, x, at.y + 5], "muted"),
        svgText(x, at.y + 20, String(tick), { anchor: "middle" }),
      ];
    }),
    svgText((at.left + at.right) / 2, at.y + 38, `${label}, ${unit}`, {
      colour: "muted",
      anchor: "middle",
    }),
  ];
}

function unitOf(spanNs: number): readonly [unit: string, ns: number] {
  if (spanNs >= 2e9) return ["s", 1e9];
  return spanNs >= 2e6 ? ["ms", 1e6] : ["µs", 1e3];
}
