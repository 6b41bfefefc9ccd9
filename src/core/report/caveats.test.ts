import { expect, test } from "vitest";
import { smallHost } from "../../../test/fixtures/investigate.ts";
import { caveatsOf } from "./caveats.ts";
import { proseText } from "./prose.ts";

test("more than N times the work of one by N is no gain, and the report says so", () => {
  const textOf = (low: number) => {
    const scaling = [
      { phase: "fill" as const, processes: 2, ratio: { value: 2.5, low, high: 2.9 } },
    ];
    const result = { ...smallHost, pressure: { ...smallHost.pressure!, scaling } };
    return caveatsOf(result).map(proseText).join("\n");
  };
  expect(textOf(2.2)).toContain("do not read it as a gain");
  expect(textOf(1.9)).not.toContain("as a gain");
});
