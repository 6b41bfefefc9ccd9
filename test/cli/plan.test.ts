// `bootstorm plan` as a person runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstorm, filesIn, schemaErrors, startBootstorm, until } from "./bootstorm.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-plan-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const plan = (...args: string[]) => bootstorm(["plan", "--quiet", ...args], { cwd: folder });

function resultOf(...args: string[]) {
  const { stdout, stderr, status } = plan(...args, "--json");
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("plan", document)).toEqual([]);
  return document.result;
}

/** Guests of 64 MiB: some seconds. */
const SMALL = [
  "talk-concurrent",
  ...["--set", "guests[0].memoryMiB=64", "--set", "host.cpus=16", "--set", "host.sockets=1"],
  ...["--vms", "8", "--replications", "2"],
];

test("every planned number is within its range, and the knee is where throughput bends", () => {
  const result = resultOf(...SMALL);
  const check = (ofNumber: { value: number; low: number; high: number }) => {
    expect(ofNumber.low).toBeLessThanOrEqual(ofNumber.value);
    expect(ofNumber.high).toBeGreaterThanOrEqual(ofNumber.value);
  };
  const { storm, service, knee, perSecond, rates, choices } = result;
  const times = [storm.without, storm.with, storm.paced].flatMap((one) => Object.values(one));
  const rated = rates.map((rate: { perSecond: unknown }) => rate.perSecond);
  for (const one of [result.aloneMs, knee, perSecond, ...rated, ...times]) check(one);
  for (const { perSecond: served, boundPerSecond } of service) {
    expect(served.value).toBeLessThan(1.02 * boundPerSecond);
  }
  const best = Math.max(...service.map((one: typeof result) => one.perSecond.value));
  expect(perSecond.value).toBeGreaterThanOrEqual(0.95 * best);
  const [poisson, even] = rated;
  expect(poisson.value).toBeLessThan(perSecond.value);
  expect(poisson.value).toBeLessThanOrEqual(even.value);
  expect(choices[0]).toMatchObject({ name: "as it is", verdict: "safe", knee: knee.value });
  const verdictOf = (name: string) =>
    choices.find((choice: { name: string }) => choice.name === name).verdict;
  expect([verdictOf("no-cpa-lock"), verdictOf("per-pmd-lock")]).toEqual(["unsafe", "safe"]);
});

test("the configuration is one that govern takes, with the cap of the plan", () => {
  const { stdout, status } = plan("tiny", "--replications", "2", "--write", "govern.yaml");
  expect(status).toBe(0);
  expect(stdout).toContain("Configuration: govern.yaml");
  const checked = bootstorm(["govern", "--config", "govern.yaml", "--check"], { cwd: folder });
  expect(checked.status, checked.stderr).toBe(0);
  expect(JSON.parse(checked.stdout).policy).toEqual([
    { name: "boot-cap", options: { boots: 2, order: "arrival" } },
  ]);
});

test("a name that is no comment stays in its comment", () => {
  const scenario = {
    name: "a\npolicy: []",
    title: "hostile",
    host: { cpus: 2, sockets: 1, coresPerL3: 2, smt: 1 },
    guests: [{ memoryMiB: 64, phases: [{ kind: "run", name: "work", ms: 500 }] }],
  };
  writeFileSync(join(folder, "hostile.json"), JSON.stringify(scenario));
  expect(plan("hostile.json", "--replications", "2", "--write", "hostile.yaml").status).toBe(0);
  const lines = readFileSync(join(folder, "hostile.yaml"), "utf8").split("\n");
  expect(lines.filter((line) => line.startsWith("policy:"))).toEqual(["policy:"]);
});

test("the command that it prints plans the same again, and the page has both pictures", () => {
  const args = ["tiny", "--p99", "8", "--replications", "2"];
  const { stdout } = plan(...args, "--html", "page.html");
  const line = /How to repeat it\n─+\n {2}bootstorm (plan .*)\n/.exec(stdout)![1]!;
  expect(bootstorm([...line.split(" "), "--quiet"], { cwd: folder }).stdout).toBe(stdout);
  const page = readFileSync(join(folder, "page.html"), "utf8");
  for (const title of ["Throughput against boots in service", "p99 against the rate of requests"]) {
    expect(page).toContain(title);
  }
});

test("a scenario without a machine is not booted", () => {
  const { stderr, status } = plan("talk-concurrent", "--confirm");
  expect(status).toBe(2);
  expect(stderr).toContain("NOT_CONFIRMABLE");
});

test("Ctrl-C ends it with 130 and leaves no file", async () => {
  const before = filesIn(folder).sort();
  const run = startBootstorm(["plan", "--html", "never.html"], { cwd: folder });
  await until(() => run.said().includes("storms simulated"));
  run.kill("SIGINT");
  const { status, stderr } = await run.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("INTERRUPTED");
  expect(filesIn(folder).sort()).toEqual(before);
});
