// `bootstorm storm --govern`: VMMs that are shell scripts, and one short storm of QEMU, under real daemons.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BootRound } from "../../src/core/event/boot.ts";
import { readRounds } from "../../src/core/event/boot-codec.ts";
import { checkHistory } from "../../src/core/govern/history.ts";
import { bootstorm, filesIn, schemaErrors, startBootstorm, until } from "../cli/bootstorm.ts";
import { GovernorFixture } from "../fixtures/governor.ts";
import { gone, vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";
import { processesOf } from "./storm-processes.ts";

const QUICK = ["--repetitions", "1", "--warm-ups", "0", "--no-record"];
const CAP_1 = { policy: [{ name: "boot-cap", options: { boots: 1 } }] };

const cleanups: (() => unknown)[] = [];
let cwd: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-storm-"));
  mkdirSync(join(cwd, "runtime"), { mode: 0o700 });
  env = { ...process.env, XDG_RUNTIME_DIR: join(cwd, "runtime") };
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(cwd, { recursive: true });
});

const left = () => readdirSync(join(cwd, "runtime/bootstorm"));

/** A scenario whose VMMs run this. */
function scripts(script: string): string {
  const machine = { kind: "command", command: ["sh", "-c", script], readyText: "READY" };
  const scenario = { name: "scripts", title: "VMMs that pretend", guests: [{ machine }] };
  writeFileSync(join(cwd, "scripts.yaml"), JSON.stringify(scenario));
  return "scripts.yaml";
}

async function governor(config: object): Promise<GovernorFixture> {
  const fixture = new GovernorFixture(config);
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

const rounds = (): readonly BootRound[] =>
  readRounds(readFileSync(join(cwd, "run/rounds.jsonl"))).rounds;

/** The most that were admitted and not yet ready at once. */
function mostInService({ boots }: BootRound): number {
  const spans = boots.map(({ seen }) => [seen.admitted!.atNs, seen.ready!.atNs] as const);
  const inService = ([nowNs]: readonly [number, number]) =>
    spans.filter(([fromNs, toNs]) => fromNs <= nowNs && nowNs < toNs).length;
  return Math.max(...spans.map(inService));
}

test("a daemon that runs decides about every boot: in its turn, held by its VMM, told how it went", async () => {
  const fixture = await governor(CAP_1);
  const file = scripts(
    "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo READY; exec sleep 1000",
  );
  const flags = ["--vms", "4", ...QUICK, `--govern=${fixture.socketPath}`, "--out", "run"];
  const run = bootstorm(["storm", file, ...flags, "--json"], { cwd, env });
  expect(run.status, run.stderr).toBe(0);
  const document = JSON.parse(run.stdout);
  expect(schemaErrors("storm", document)).toEqual([]);
  expect(document.input.limits).toMatchObject([
    { name: "govern", ...CAP_1, governor: { socket: fixture.socketPath } },
  ]);
  expect(document.input.command).toContain(`--govern=${fixture.socketPath}`);
  const [round] = rounds();
  expect(round!.boots.map(({ outcome }) => outcome)).toEqual(Array(4).fill("ready"));
  expect(mostInService(round!)).toBe(1);
  const history = fixture.history();
  expect(checkHistory(history, { cap: 1, toleranceNs: 60e9 })).toEqual([]);
  const ends = history.filter((event) => event.kind === "ended");
  expect(ends).toMatchObject(
    Array(4).fill({ how: "released", outcome: { failed: false, cpuNs: expect.any(Number) } }),
  );
  const holders = history.flatMap((event) =>
    event.kind === "renewed" && event.holder !== undefined ? [event.holder.pid] : [],
  );
  expect(holders.sort()).toEqual(round!.boots.map(({ pid }) => pid).sort());
});

test("boots that fail are told as failed", async () => {
  const fixture = await governor(CAP_1);
  const flags = ["--vms", "2", ...QUICK, `--govern=${fixture.socketPath}`];
  expect(bootstorm(["storm", scripts("exit 1"), ...flags], { cwd, env }).status).toBe(1);
  const ends = fixture.history().filter(({ kind }) => kind === "ended");
  expect(ends).toMatchObject(Array(2).fill({ how: "released", outcome: { failed: true } }));
});

test("no daemon where one was named: nothing is booted", () => {
  const flags = ["--vms", "1", ...QUICK, "--govern=nowhere.sock"];
  const { status, stderr } = bootstorm(["storm", scripts("echo READY"), ...flags], { cwd, env });
  expect([status, stderr]).toEqual([3, expect.stringContaining("NO_GOVERNOR")]);
  expect(filesIn(cwd).filter((path) => path.endsWith("rounds.jsonl"))).toEqual([]);
  const both = bootstorm(["storm", "--govern", "--limit", "2"], { cwd, env });
  expect(both.status).toBe(2);
});

test("beside other limits each round has a daemon of its own, and none stays", () => {
  const file = scripts("echo READY; exec sleep 1000");
  const flags = ["--vms", "2", "--compare-limits", "none,1", "--govern", ...QUICK, "--out", "run"];
  const { status, stderr } = bootstorm(["storm", file, ...flags], { cwd, env });
  expect(status, stderr).toBe(0);
  expect(
    rounds()
      .map(({ limit }) => limit)
      .sort(),
  ).toEqual(["1", "govern", "none"]);
  expect(left()).toEqual([]);
});

test.for([
  ["SIGINT", 130],
  ["SIGKILL", null],
] as const)("%s in the middle: neither daemon nor VM stays", async ([signal, status], ctx) => {
  const missing = needs("program setpriv");
  if (missing) return ctx.skip(missing);
  const file = scripts(`touch '${cwd}/begun'; exec sleep 1000`);
  const run = startBootstorm(["storm", file, "--vms", "1", "--govern", ...QUICK], { cwd, env });
  await until(() => existsSync(join(cwd, "begun")));
  // The VM and the daemon.
  const ours = processesOf(run.pid);
  expect(ours.length).toBe(2);
  run.kill(signal);
  expect((await run.ended).status).toBe(status);
  await gone(...ours);
  if (signal === "SIGINT") expect(left()).toEqual([]);
});

test("a permit that is taken away: the round ends with the reason, and no VM stays", async () => {
  const fixture = await governor({ ...CAP_1, lease: { defaultMs: 300, maxMs: 300 } });
  const file = scripts("exec sleep 1000");
  const flags = ["--vms", "1", ...QUICK, `--govern=${fixture.socketPath}`];
  const run = startBootstorm(["storm", file, ...flags], { cwd, env });
  await until(() => processesOf(run.pid).length === 1);
  const ours = processesOf(run.pid);
  await fixture.send("POST", `/v1/permits/${await onlyPermit(fixture)}/release`);
  const { status, stderr } = await run.ended;
  expect([status, stderr]).toEqual([3, expect.stringContaining("PERMIT_LOST")]);
  await gone(...ours);
});

async function onlyPermit(fixture: GovernorFixture): Promise<string> {
  const { permits } = (await fixture.send("GET", "/v1/permits")).body as {
    permits: { id: string }[];
  };
  return permits[0]!.id;
}

test("VMs of QEMU under a daemon of our own, and under a policy that is told of CPUs", (ctx) => {
  const missing = vmNeeds();
  if (missing) return ctx.skip(missing);
  const flags = ["--vms", "2", "--compare-limits", "boot-cap-work", "--govern", ...QUICK];
  const run = bootstorm(["storm", ...flags, "--out", "run", "--json"], { cwd, env });
  expect(run.status, run.stderr).toBe(0);
  const document = JSON.parse(run.stdout);
  expect(schemaErrors("storm", document)).toEqual([]);
  expect(document.result.points).toMatchObject([
    { limit: "boot-cap-work", boots: 2, failed: 0 },
    { limit: "govern", boots: 2, failed: 0 },
  ]);
  expect(left()).toEqual([]);
});
