// Scenarios whose table of costs is the file of a calibration.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { costFileText } from "../../src/core/kernel/cost/cost-file.ts";
import { bootstorm } from "./bootstorm.ts";

const time = (ns: number) => ({ ns, low: ns, high: ns, identified: "well" }) as const;
const FILE = costFileText(
  {
    cpus: 4,
    holdNs: time(5000),
    outsideNs: time(900),
    fileNs: time(2000),
    flushNs: time(9000),
    faultNs: time(777),
    spread: "none",
    kneeProcesses: { value: 1.18, low: 1.18, high: 1.18 },
    predictionErrorPercent: { median: 1, max: 2 },
  },
  {
    name: "lab",
    measuredOn: { host: "a test", kernel: "6.18", cpus: 4, takenAt: "2025-11-22T11:20:00Z" },
  },
);
const NS = Object.fromEntries(
  Object.entries(JSON.parse(FILE).costs as Record<string, { ns: number }>).map(([key, { ns }]) => [
    key,
    ns,
  ]),
);

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-costs-"));
  mkdirSync(join(cwd, "lab"));
  writeFileSync(join(cwd, "lab/lab.json"), FILE);
});
afterEach(() => rmSync(cwd, { recursive: true }));

function simulate(costs: unknown, ...flags: string[]) {
  const scenario = {
    name: "costs",
    title: "costs of a file",
    host: { cpus: 8, sockets: 1, coresPerL3: 4, memoryGiB: 8, costs },
    guests: [{ count: 4, memoryMiB: 64, firmwareMiB: 1, kernelMiB: 8 }],
    run: { grain: "sections" },
  };
  writeFileSync(join(cwd, "lab/scenario.json"), JSON.stringify(scenario, null, 2));
  const run = bootstorm(["simulate", "lab/scenario.json", ...flags, "--json"], { cwd });
  return { ...run, points: run.status === 0 ? JSON.parse(run.stdout).result.points : undefined };
}

test("the file's costs are used: as the same numbers in host.costs.ns, and not as the built-in table", () => {
  const ofFile = simulate({ table: "lab.json" });
  expect(ofFile.stderr).not.toContain("SCENARIO_WRONG");
  expect(ofFile.points).toEqual(simulate({ ns: NS }).points);
  expect(ofFile.points).not.toEqual(simulate({}).points);
});

test("host.costs.ns replaces what the file says", () => {
  const replaced = simulate({ table: "lab.json", ns: { fault4k: 9999 } });
  expect(replaced.points).toEqual(simulate({ ns: { ...NS, fault4k: 9999 } }).points);
});

test("a table can be swept", () => {
  const { points } = simulate({}, "--sweep", "host.costs.table=epyc-milan,lab/lab.json");
  expect(points[0].bootMs).toEqual(simulate({}).points[0].bootMs);
  expect(points[1].bootMs).toEqual(simulate({ table: "lab.json" }).points[0].bootMs);
});

test("explore takes one too", () => {
  const rows = (costs: unknown) => {
    simulate(costs);
    const asked = ["explore", "lab/scenario.json", "--design", "linux-4.20", "--policy", "none"];
    const { stdout } = bootstorm([...asked, "--vms", "4", "--json"], { cwd });
    return JSON.parse(stdout).result.rows;
  };
  expect(rows({ table: "lab.json" })).toEqual(rows({ ns: NS }));
});

test("names are beside the scenario; those of flags are from where one stands", () => {
  expect(simulate({ table: "../lab/lab.json" }).status).toBe(0);
  expect(simulate({}, "--set", "host.costs.table=lab/lab.json").status).toBe(0);
  expect(simulate({}, "--set", "host.costs.table=lab.json").status).toBe(2);
  expect(simulate({ table: join(cwd, "lab/lab.json") }).status).toBe(0);
});

describe("a file that cannot be used: the scenario's place and field, the file, and what is wrong", () => {
  test.for([
    ["no.json", undefined, /cannot read lab\/no.json: there is no such file/],
    ["bad.json", "{", /lab\/bad.json is not a table of costs: it is not JSON/],
    [
      "later.json",
      FILE.replace(": 1,", ": 2,"),
      /lab\/later.json is of a later bootstorm: .* 2, .* 1/,
    ],
    ["zero.json", FILE.replace('"ns": 777', '"ns": -1'), /costs.fault4k.ns: -1 is not a number/],
  ] as const)("%s", ([table, text, said]) => {
    if (text !== undefined) writeFileSync(join(cwd, "lab", table), text);
    const { status, stderr } = simulate({ table });
    expect(status).toBe(2);
    expect(stderr).toMatch(/^bootstorm: lab\/scenario.json:10:16 host.costs.table: /m);
    expect(stderr).toMatch(said);
  });

  test("in a sweep of the file", () => {
    const { status, stderr } = simulate({}, "--sweep", "host.costs.table=epyc-milan,no.json");
    expect(status).toBe(2);
    expect(stderr).toContain("--sweep host.costs.table=epyc-milan,no.json: sweep[0]: cannot read");
  });
});
