// Storms and verdicts do not depend on the engine: Node's and Chromium's are the same bytes.
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { scenarioWith } from "../../src/app/cli/simulate/scenario.ts";
import type { Verdict } from "../../src/core/check/check.ts";
import { type Question, TABLE_OPERATIONS } from "../../src/core/check/question.ts";
import { DESIGN_BY_NAME, DESIGNS } from "../../src/core/kernel/design/index.ts";
import type { PolicyOptions } from "../../src/core/policy/policy.ts";
import { POLICIES } from "../../src/core/policy/registry.ts";
import type { Run, Scenario } from "../../src/core/scenario/scenario.ts";
import type { StormResult } from "../../src/core/sim/result.ts";
import { needs } from "../needs.ts";
import * as inNode from "./answers.ts";
import { openChromium } from "./chromium.ts";

const missing = needs("program chromium");

let browser: Browser;
let tab: Page;

beforeAll(async () => {
  if (missing) return;
  browser = await openChromium();
  tab = await browser.newPage();
  await tab.addScriptTag({ content: bundled("answers.ts") });
});

afterAll(() => browser?.close());

beforeEach((ctx) => {
  if (missing) ctx.skip(missing);
});

/** A module and all it imports as one script for browsers, its exports in the global `inTab`. */
function bundled(file: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "inTab",
    write: false,
  });
  return outputFiles[0]!.text;
}

/** The bundle's exports; functions that are evaluated in the tab see them. */
declare const inTab: typeof inNode;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Runs the storms here and in the tab; the results must be the same bytes. */
async function sameStorms(asked: readonly Scenario[]): Promise<StormResult[]> {
  const here = inNode.storms(asked);
  const there = await tab.evaluate((scenarios) => inTab.storms(scenarios), asked);
  const digests = (texts: readonly string[]) =>
    texts.map((text, i) => `${asked[i]!.run.grain} ${asked[i]!.run.spread} ${sha256(text)}`);
  expect(digests(there)).toEqual(digests(here));
  return here.map((text) => JSON.parse(text));
}

const shipped = readdirSync(new URL("../../scenarios/", import.meta.url)).map((file) =>
  basename(file, ".yaml"),
);

const pointsOf = async (name: string) =>
  (await scenarioWith(name, [])).points.map(({ scenario }) => scenario);

type Manner = Pick<Run, "grain" | "spread">;

const bothSpreads = (...grains: Run["grain"][]): Manner[] =>
  grains.flatMap((grain) => [
    { grain, spread: "none" },
    { grain, spread: "exponential" },
  ]);

const exact = bothSpreads("exact", "sections");
const aggregated = bothSpreads("aggregated");

/**
 * The storm with less to do: launch and phases fifty times shorter, and at most so many guests and
 * so much in the background. Four guests of 4,100 MiB are just enough page operations to be
 * aggregated, and few different populations to measure.
 */
function reduced(storm: Scenario, manner: Manner): Scenario {
  const large = manner.grain === "aggregated";
  const { host, background } = storm;
  const { updateMs, firstUpdateMs, fixedMs } = host.psp;
  const shorter = (ms: number) => ms / 50;
  return {
    ...storm,
    host: {
      ...host,
      psp: {
        updateMs: shorter(updateMs),
        firstUpdateMs: shorter(firstUpdateMs),
        fixedMs: shorter(fixedMs),
      },
    },
    guests: storm.guests.map((group) => ({
      ...group,
      count: large ? 4 : Math.min(group.count, 8),
      memoryMiB: large ? 4100 : 16,
      kernelMiB: 8,
      lazyMinMiB: 4,
      phases: group.phases.map((phase) =>
        phase.kind === "run" ? { ...phase, ms: shorter(phase.ms) } : phase,
      ),
    })),
    background: {
      ...background,
      rmpupdateThreads: Math.min(background.rmpupdateThreads, 4),
      abusers: { ...background.abusers, count: Math.min(background.abusers.count, 2) },
    },
    run: { ...storm.run, ...manner },
  };
}

/** Points that differ only in what was reduced are one. */
const distinct = (storms: readonly Scenario[]) => [
  ...new Map(storms.map((storm) => [JSON.stringify(storm), storm])).values(),
];

/** With these options each policy changes the storm, even one of few and small guests. */
const POLICY_OPTIONS: Readonly<Record<string, PolicyOptions>> = {
  none: {},
  "psc-rate": { pagesPerSecond: 10_000, burstPages: 512 },
  "psc-quota": {},
  "boot-cap": { boots: 2 },
  "boot-cap-aimd": { bootsStart: 2 },
  "boot-cap-gradient": { bootsStart: 2 },
  "boot-cap-delay": { bootsStart: 2 },
  "boot-cap-work": { bootsStart: 2 },
  "lazy-accept": { minMiB: 4 },
};

describe("the same scenario and seed are the same bytes in Node and in Chromium", () => {
  test.each(shipped)(
    "%s: its sweep at both exact grains, its first point aggregated",
    async (name) => {
      const points = await pointsOf(name);
      await sameStorms([
        ...distinct(points.flatMap((point) => exact.map((manner) => reduced(point, manner)))),
        ...aggregated.map((manner) => reduced(points[0]!, manner)),
      ]);
    },
  );

  test("every policy, each of which changes the storm", async () => {
    expect(Object.keys(POLICY_OPTIONS).sort()).toEqual([...POLICIES.keys()].sort());
    const crowd = (await pointsOf("talk-concurrent")).at(-1)!;
    for (const manner of [...exact, aggregated[0]!]) {
      const storms = Object.entries(POLICY_OPTIONS).map(([name, options]) =>
        reduced({ ...crowd, policy: [{ name, options }] }, manner),
      );
      const [free, ...held] = await sameStorms(storms);
      for (const [i, { vms }] of held.entries()) {
        expect(vms, `${storms[i + 1]!.policy[0]!.name} ${manner.grain}`).not.toEqual(free!.vms);
      }
    }
  });

  test.each([...exact, ...aggregated])("another seed is other bytes: %o", async (manner) => {
    const storm = reduced((await pointsOf("talk-concurrent"))[0]!, manner);
    const other = { ...storm, run: { ...storm.run, seed: storm.run.seed + 1 } };
    const [one, two] = await sameStorms([storm, other]);
    expect(one!.grain).toBe(manner.grain);
    expect(two!.vms).not.toEqual(one!.vms);
  });
});

describe("the same question is the same verdict, schedule and counts in Node and in Chromium", () => {
  const asked = {
    cpus: 3,
    regions: 1,
    tlbRule: "note-2007",
    memoryModel: "sc",
    flush: "broadcast",
  } as const;

  async function sameVerdicts(questions: readonly Question[]): Promise<Verdict[]> {
    const here = inNode.verdicts(questions);
    const there = await tab.evaluate((given) => inTab.verdicts(given), questions);
    const digests = (texts: readonly string[]) =>
      texts.map((text, i) => {
        const { design, operations } = questions[i]!;
        return `${design.name} ${operations} ${sha256(text)}`;
      });
    expect(digests(there)).toEqual(digests(here));
    return here.map((text) => JSON.parse(text));
  }

  test("the whole table of designs and operations, with 3 CPUs", async () => {
    const verdicts = await sameVerdicts(
      DESIGNS.flatMap((design) =>
        TABLE_OPERATIONS.map((operations) => ({ ...asked, design, operations })),
      ),
    );
    const unsafe = verdicts.filter(({ verdict }) => verdict === "unsafe");
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(["safe", "unsafe"]));
    for (const { counterexample } of unsafe) expect(counterexample!.replay.broken).not.toBe(0);
  });

  test("flushes by IPI, store buffers, entries of 1 GiB", async () => {
    const design = (name: string) => DESIGN_BY_NAME.get(name)!;
    const verdicts = await sameVerdicts([
      { ...asked, design: design("pgd-lock-irqsave"), operations: "fork", flush: "ipi", cpus: 2 },
      { ...asked, design: design("linux-4.20"), operations: "ro", memoryModel: "tso" },
      {
        ...asked,
        design: design("per-pmd-lock"),
        operations: "set_direct_map",
        start: "1g",
        regions: 2,
        cpus: 2,
      },
    ]);
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(["unsafe", "safe", "unsafe"]);
  });
});
