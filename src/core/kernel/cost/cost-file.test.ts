import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BootstormError } from "../../error.ts";
import { type CostFit, costFileText, readCostFile } from "./cost-file.ts";
import { COST_KEYS, costsNs, EPYC_MILAN } from "./cost-table.ts";

const FIT: CostFit = {
  cpus: 2,
  holdNs: { ns: 517.25, low: 506.5, high: 533, identified: "well" },
  outsideNs: { ns: 292, low: 262, high: 314, identified: "well" },
  fileNs: { ns: 834, low: 747, high: 928, identified: "well" },
  flushNs: { ns: 3451, low: 3400, high: 3530, identified: "well" },
  faultNs: { ns: 795, low: 785, high: 1900, identified: "weakly" },
  spread: "exponential",
  kneeProcesses: { value: 1.57, low: 1.5, high: 1.62 },
  predictionErrorPercent: { median: 1.96, max: 4.27 },
};
const ABOUT = {
  name: "lab",
  measuredOn: {
    host: "AMD EPYC 7713",
    kernel: "6.18.44",
    cpus: 2,
    takenAt: "2026-01-02T03:04:05Z",
  },
};
const TEXT = costFileText(FIT, ABOUT);

/** The file with one value replaced: `costs.readPte.ns`. */
function withValue(path: string, value: unknown): string {
  const file = JSON.parse(TEXT);
  const keys = path.split(".");
  const last = keys.pop()!;
  keys.reduce((at, key) => at[key], file)[last] = value;
  return JSON.stringify(file);
}

function refusal(text: string): BootstormError {
  try {
    readCostFile(text, "lab.json");
  } catch (error) {
    if (error instanceof BootstormError) return error;
    throw error;
  }
  throw new Error("the file was read");
}

it("what was written is read", () => {
  const file = readCostFile(TEXT, "lab.json");
  expect(file).toMatchObject({ bootstormCosts: 1, base: "epyc-milan", ...ABOUT, fit: FIT });
  expect(costFileText(file.fit, file)).toBe(TEXT);
});

it("the text does not depend on the order in which fields were given, nor on others", () => {
  const other = Object.fromEntries(Object.entries({ ...FIT, points: [1] }).toReversed()) as never;
  expect(costFileText(other, ABOUT)).toBe(TEXT);
});

it("costs lie in their ranges and are whole; with the base they are a whole table", () => {
  const { costs } = readCostFile(TEXT, "lab.json");
  for (const [key, { ns, low, high }] of Object.entries(costs)) {
    expect(low, key).toBeLessThanOrEqual(ns);
    expect(ns, key).toBeLessThanOrEqual(high);
    expect(Number.isInteger(ns), key).toBe(true);
  }
  const ns = costsNs({ ...EPYC_MILAN, ...costs });
  expect(Object.keys(ns)).toEqual(COST_KEYS);
  expect(ns.rmpupdate).toBe(EPYC_MILAN.rmpupdate.ns);
});

describe("a file that cannot be right is refused with field, value and limit", () => {
  it.each([
    ["costs.readPte.ns", -1, "costs.readPte.ns: -1 is not a number of 0 to 1000000000000"],
    [
      "costs.readPte.ns",
      1e13,
      "costs.readPte.ns: 10000000000000 is not a number of 0 to 1000000000000",
    ],
    ["costs.readPte.ns", "800", 'costs.readPte.ns: "800" is not a number of 0 to 1000000000000'],
    ["costs.readPte.low", 1e6, "costs.readPte.ns: 289 is not within low 1000000 and high 298"],
    [
      "costs.readPte.source",
      "",
      'costs.readPte.source: "" is not a text of 1 to 200 printable characters',
    ],
    [
      "costs.readPte.confidence",
      "sure",
      'costs.readPte.confidence: "sure" is not high or medium or low',
    ],
    ["costs.readPte", 5, "costs.readPte: 5 is not an object"],
    ["costs.readPTE", {}, "costs.readPTE: unknown (known: readPud, readPmd"],
    ["costs", [], "costs: a list is not an object"],
    ["name", "a\u001b[2J", 'name: "a\\u001b[2J" is not a text'],
    ["name", "x".repeat(1e6), 'name: "xxx'],
    ["base", "epyc-turin", 'base: "epyc-turin" is not epyc-milan'],
    ["measuredOn.cpus", 0, "measuredOn.cpus: 0 is not a whole number of 1 to 4096"],
    ["measuredOn.cpus", 1.5, "measuredOn.cpus: 1.5 is not a whole number of 1 to 4096"],
    ["fit.holdNs.identified", true, "fit.holdNs.identified: true is not well or weakly"],
    ["fit.kneeProcesses.high", null, "fit.kneeProcesses.high: null is not a number"],
    ["fit", undefined, "fit: nothing is not an object"],
    ["bootstormCosts", "1", 'bootstormCosts: "1" is not 1'],
    ["more", 1, "more: unknown (known: bootstormCosts, name"],
  ])("%s: %j", (path, value, problem) => {
    const { code, why, exit } = refusal(withValue(path, value));
    expect(code).toBe("COST_FILE_WRONG");
    expect(why).toContain(problem);
    expect(why.length).toBeLessThan(5000);
    expect(exit).toBe(4);
  });

  it("a later version, with both numbers", () => {
    const { code, why } = refusal(withValue("bootstormCosts", 2));
    expect(code).toBe("COST_FILE_LATER");
    expect(why).toBe("it has version 2, this bootstorm reads up to version 1");
  });

  it.each([
    "",
    "{",
    "null",
    "[]",
    '"text"',
    "[".repeat(1e5),
    `${"[".repeat(1e5)}${"]".repeat(1e5)}`,
  ])("text that is no such file: %.20s", (text) => {
    expect(refusal(text).code).toBe("COST_FILE_WRONG");
  });

  it("a name that JavaScript knows is not a cost", () => {
    expect(refusal(TEXT.replace('"readPud"', '"__proto__"')).why).toContain("__proto__: unknown");
    expect(refusal(TEXT.replace('"readPud"', '"toString"')).why).toContain("toString: unknown");
  });

  it("any other value in any place: refused, or a file whose numbers can be simulated", () => {
    const places = [
      "name",
      "costs",
      "costs.readPte",
      "costs.readPte.ns",
      "fit",
      "fit.holdNs",
      "measuredOn",
    ];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.jsonValue(), (path, value) => {
        const text = withValue(path, value);
        try {
          const ns = costsNs({ ...EPYC_MILAN, ...readCostFile(text, "x.json").costs });
          expect(Object.keys(ns)).toEqual(COST_KEYS);
          expect(Object.values(ns).every((cost) => cost >= 0 && cost <= 1e12)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(BootstormError);
        }
      }),
    );
  });
});
