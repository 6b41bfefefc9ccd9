// `bootstorm storm` with VMMs that are shell scripts: what the command does with whatever VMs do.
// Real VMs: storm-qemu.test.ts.
import {
  appendFileSync,
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
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstorm, filesIn, schemaErrors, startBootstorm, until } from "../cli/bootstorm.ts";
import { needs } from "../needs.ts";
import { processesOf } from "./storm-processes.ts";

let cwd: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-storm-"));
  mkdirSync(join(cwd, "runtime"), { mode: 0o700 });
  // Registers of runs are in there, and those of nobody else.
  env = { ...process.env, XDG_RUNTIME_DIR: join(cwd, "runtime") };
});
afterEach(() => rmSync(cwd, { recursive: true }));

const QUICK = ["--repetitions", "1", "--warm-ups", "0", "--no-record"];

const storm = (...args: string[]) => bootstorm(["storm", ...args], { cwd, env });
const registers = () => readdirSync(join(cwd, "runtime/bootstorm"));

/** A group of VMs, each a script of the shell. */
const group = (script: string, more: object = {}) => ({
  machine: { kind: "command", command: ["sh", "-c", script], readyText: "READY" },
  ...more,
});

/** Writes a scenario with these groups and returns its name. */
function scenario(groups: readonly object[], more: object = {}): string {
  writeFileSync(
    join(cwd, "storm.json.yaml"),
    JSON.stringify({ name: "scripts", title: "VMMs that pretend", guests: groups, ...more }),
  );
  return "storm.json.yaml";
}

const STAYS = "echo READY; exec sleep 1000";

/** The document of a run with --json, which must keep the schema. */
function documentOf(...args: string[]) {
  const { status, stdout, stderr } = storm(...args, "--json");
  expect(status, stderr).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("storm", document)).toEqual([]);
  return document;
}

describe("a folder of a run", () => {
  const COUNTS = ["--vms", "1,3", "--repetitions", "2", "--warm-ups", "1", "--no-record"];

  /** The answer without what differs from minute to minute and from place to place. */
  const answerOf = (text: string) => text.replace(/\n\nMade by [\s\S]*$/, "");

  test("read again says what the run said, as text, JSON and page", () => {
    const file = scenario([group(STAYS)]);
    const first = storm(file, ...COUNTS, "--out", "run", "--json=first.json");
    expect(first.status, first.stderr).toBe(0);
    const page = readFileSync(join(cwd, "run/report.html"), "utf8");
    rmSync(join(cwd, "run/report.html"));
    const again = storm("--from", "run", "--json=again.json");
    expect(again.status, again.stderr).toBe(0);
    expect(answerOf(again.stdout)).toBe(answerOf(first.stdout));
    const json = (name: string) => JSON.parse(readFileSync(join(cwd, name), "utf8"));
    expect(schemaErrors("storm", json("first.json"))).toEqual([]);
    expect(json("again.json")).toEqual(json("first.json"));
    const made = /<footer>[\s\S]*<\/footer>/;
    const pageAgain = readFileSync(join(cwd, "run/report.html"), "utf8");
    expect(pageAgain.replace(made, "")).toBe(page.replace(made, ""));
    expect(json("first.json").result.rounds.map((round: { role: string }) => round.role)).toEqual([
      "warm-up",
      ...Array.from({ length: 4 }, () => "measured"),
    ]);
  });

  test("of a run that was killed tells of the rounds that were whole, and counts the others", () => {
    storm(scenario([group(STAYS)]), ...COUNTS, "--out", "run");
    const whole = JSON.parse(storm("--from", "run", "--json").stdout);
    appendFileSync(join(cwd, "run/rounds.jsonl"), '{"vms":3,"limit":"none","ki');
    const cut = JSON.parse(storm("--from", "run", "--json").stdout);
    expect(cut.result.points).toEqual(whole.result.points);
    expect(cut.result.rejects).toEqual([{ why: "the line is not JSON", count: 1 }]);
    expect(schemaErrors("storm", cut)).toEqual([]);
  });

  test("with notes of somebody else's: shown as they are, and escaped", () => {
    storm(scenario([group(STAYS)]), ...QUICK, "--vms", "1", "--out", "run");
    const path = join(cwd, "run/storm.json");
    const notes = JSON.parse(readFileSync(path, "utf8"));
    const obtained = [{ label: "<b>", text: "\u001b[31m<script>alert(1)</script>" }];
    writeFileSync(path, JSON.stringify({ ...notes, obtained }));
    const { stdout, status } = storm("--from", "run", "--out", "elsewhere");
    expect(status).toBe(0);
    expect(stdout).not.toContain("\u001b");
    const page = readFileSync(join(cwd, "elsewhere/report.html"), "utf8");
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("&lt;script&gt;alert(1)");
  });

  test.for([
    ["storm.json", "[]", "BAD_RUN"],
    ["storm.json", '{"format":"bootstorm storm","version":1}', "BAD_RUN"],
    ["storm.json", '{"format":"bootstorm storm","version":2}', "NEWER_RUN"],
    ["rounds.jsonl", "", "BAD_ROUNDS"],
  ] as const)("%s that says %s: %s", ([file, text, code]) => {
    storm(scenario([group(STAYS)]), ...QUICK, "--vms", "1", "--out", "run");
    writeFileSync(join(cwd, "run", file), text);
    const { status, stdout, stderr } = storm("--from", "run");
    expect([status, stdout]).toEqual([4, ""]);
    expect(stderr).toContain(code);
  });

  test("none is made by reading one that is not there", () => {
    const { status, stderr } = storm("--from", "nowhere");
    expect(status).toBe(4);
    expect(stderr).toContain("cannot read nowhere/storm.json (CANNOT_READ)");
    expect(existsSync(join(cwd, "nowhere"))).toBe(false);
  });

  test("holds one run: a second one is refused, and says how to read the first", () => {
    const file = scenario([group(STAYS)]);
    storm(file, ...QUICK, "--vms", "1", "--out", "run");
    const before = filesIn(join(cwd, "run"));
    const { status, stderr } = storm(file, ...QUICK, "--vms", "1", "--out", "run");
    expect(status).toBe(2);
    expect(stderr).toContain("(RUN_EXISTS)");
    expect(stderr).toContain("bootstorm storm --from run");
    expect(filesIn(join(cwd, "run"))).toEqual(before);
  });

  test("is private, with the consoles of all VMs", () => {
    storm(
      scenario([group("echo I am {name}; echo READY")]),
      ...QUICK,
      "--vms",
      "2",
      "--out",
      "run",
    );
    expect(readFileSync(join(cwd, "run/rounds/000/vm-1/console.log"), "utf8")).toBe(
      "I am vm-1\nREADY\n",
    );
    const open = bootstorm(["run", "-perm", "/077"], { cwd, command: ["find"] });
    expect(open.stdout).toBe("");
  });
});

test("any number of VMs has the groups in their proportion", () => {
  const file = scenario([
    group(STAYS, { name: "many", count: 20, memoryMiB: 64 }),
    group(STAYS, { name: "few", count: 10, memoryMiB: 64 }),
  ]);
  const { vms } = documentOf(file, ...QUICK, "--vms", "6").result;
  expect(vms.map((vm: { group: string }) => vm.group).sort()).toEqual([
    ...["few", "few"],
    ...["many", "many", "many", "many"],
  ]);
});

describe("admission", () => {
  test("a limit lets in so many at a time, and every limit runs beside the others", () => {
    const args = [
      "--vms",
      "4",
      "--compare-limits",
      "1,none",
      "--repetitions",
      "2",
      "--warm-ups",
      "0",
    ];
    const document = documentOf(scenario([group(STAYS)]), ...args, "--no-record");
    const { points, vms, rounds, changes } = document.result;
    expect(points.map((point: { limit: string }) => point.limit)).toEqual(["none", "1"]);
    expect(changes).toMatchObject([{ by: "limit", limit: "1", pairs: 2 }]);
    type Vm = { round: number; atMs: { admitted: number; ready: number } };
    for (const [round, { limit }] of rounds.entries()) {
      const own: Vm[] = vms.filter((vm: Vm) => vm.round === round);
      const byStart = own.map(({ atMs }) => atMs).sort((a, b) => a.admitted - b.admitted);
      const isOneByOne = byStart.every(
        (one, i) => i === 0 || one.admitted >= byStart[i - 1]!.ready,
      );
      expect(isOneByOne, limit).toBe(limit === "1");
    }
  });

  test("the policy of a scenario is its limit, unless a flag says otherwise", () => {
    const policy = [{ name: "boot-cap", options: { boots: 2 } }];
    const file = scenario([group(STAYS)], { policy });
    const limitsOf = (...args: string[]) =>
      documentOf(file, ...QUICK, "--vms", "2", ...args).result.points.map(
        (point: { limit: string }) => point.limit,
      );
    expect(limitsOf()).toEqual(["scenario"]);
    expect(limitsOf("--limit", "none")).toEqual(["none"]);
  });

  test("VMs are asked for when the arrivals say, and those that stay stay for the others", () => {
    const flags = ["--vms", "3", "--arrivals", "ramp:100", "--after-ready", "stay"];
    const { vms } = documentOf(scenario([group(STAYS)]), ...QUICK, ...flags).result;
    const at = vms.map(({ atMs }: { atMs: Record<string, number> }) => atMs);
    expect(at.map(({ requested }: { requested: number }) => requested)).toEqual([0, 50, 100]);
    const lastReady = Math.max(...at.map(({ ready }: { ready: number }) => ready));
    for (const { exited } of at) expect(exited).toBeGreaterThan(lastReady);
  });
});

describe("refused before anything starts", () => {
  const HUGE = { memoryMiB: 1 << 20 };

  test("more VMs than the host holds, with the arithmetic; --force goes on", () => {
    const file = scenario([group(STAYS, HUGE)]);
    const { status, stdout, stderr } = storm(file, ...QUICK, "--vms", "100");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /100 VMs at once: too much for this host \(STORM_TOO_LARGE\)\n {2}why: 100 VMs × \(1.00 TiB \+ 64.0 MiB for the VMM\) = 100 TiB, more than 80 % of the .* that are available/,
    );
    expect(stderr).toContain("give each guest less");
    expect(filesIn(cwd).sort()).toEqual(["runtime", "runtime/bootstorm", "storm.json.yaml"]);
    const { result, input } = documentOf(file, ...QUICK, "--vms", "100", "--force");
    expect(result.points).toMatchObject([{ vms: 100, boots: 100, failed: 0 }]);
    expect(input.command).toMatch(/ --force$/);
  });

  test.for([
    [["--limit", "psc-rate"], "is neither none, nor a number of boots, nor one of boot-cap,"],
    [["--limit", "2", "--compare-limits", "1,2"], "cannot be used with"],
    [["--arrivals", "soon"], "is none of together, ramp:MS"],
    [["--compare-plain"], "NO_CONFIDENTIAL_VMS"],
    [["--pressure", "4096"], "--pressure: 4096 is too many"],
    [["--from", "run"], "FROM_AND_BOOT"],
  ] as const)("%s", ([flags, said]) => {
    const { status, stderr } = storm(scenario([group(STAYS)]), ...QUICK, ...flags);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toContain(said);
    expect(readdirSync(cwd)).not.toContain("bootstorm-runs");
  });

  test("a policy of what running guests do, as it can do nothing here", () => {
    const file = scenario([group(STAYS)], { policy: [{ name: "psc-rate" }] });
    const { status, stderr } = storm(file, ...QUICK);
    expect(status).toBe(2);
    expect(stderr).toContain("policy psc-rate: nothing here obeys it (NOT_FOR_BOOTS)");
    expect(storm(file, ...QUICK, "--vms", "1", "--limit", "none").status).toBe(0);
  });
});

describe("boots that fail", () => {
  test("are rows with their reasons, and told in the answer; some ready: status 0", () => {
    const file = scenario([
      group(STAYS, { name: "good" }),
      group("echo last words; exit 3", { name: "bad" }),
    ]);
    const { status, stdout } = storm(file, ...QUICK, "--vms", "2", "--out", "run");
    expect(status).toBe(0);
    expect(stdout.replaceAll("\n", " ")).toMatch(/^.*?; 1 of 2 boots failed\. {2}-/);
    expect(stdout).toContain("  last words\n");
    const { result } = JSON.parse(storm("--from", "run", "--json").stdout);
    expect(result.vms).toMatchObject([
      { group: "good", outcome: "ready" },
      { group: "bad", outcome: "vmm-failed", why: expect.stringContaining("status 3") },
    ]);
  });

  test("none ready: status 1, of the run and of whoever reads it", () => {
    const file = scenario([group("exit 1")]);
    const first = storm(file, ...QUICK, "--vms", "1", "--out", "run");
    expect(first.status).toBe(1);
    expect(first.stdout).toMatch(/^No VM got ready: /);
    expect(storm("--from", "run").status).toBe(1);
  });

  test("whatever they write is escaped, in the terminal and on the page, and never run", () => {
    const script =
      "printf '\\033]0;title\\007\\033[2J<script>alert(1)</script>\\n$(touch pwned)\\n'; exit 1";
    const name = "<img src=x onerror=alert(2)>; $(touch pwned) `touch pwned`";
    const file = scenario([group(script, { name })]);
    const { stdout } = storm(file, ...QUICK, "--vms", "1", "--out", "run");
    expect(stdout).toContain("<script>alert(1)</script>");
    expect(stdout.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    const page = readFileSync(join(cwd, "run/report.html"), "utf8");
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(page).not.toMatch(/<script>alert|<img src=x/);
    expect(page.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(filesIn(cwd).filter((path) => path.endsWith("pwned"))).toEqual([]);
    expect(readdirSync(join(cwd, "run/rounds/000"))).toEqual(["vm-0"]);
  });
});

test("on a disk that consoles fill up what was measured stays, and can be read from elsewhere", (ctx) => {
  const missing = needs("root", "program mount");
  if (missing) return ctx.skip(missing);
  const disk = join(cwd, "full");
  mkdirSync(disk);
  const command = ["mount", "-t", "tmpfs", "-o", "size=64k", "bootstorm-test", disk];
  bootstorm([], { cwd, command });
  try {
    const file = scenario([group(`yes | head -c 200000; ${STAYS}`)]);
    const { status, stderr } = storm(file, ...QUICK, "--vms", "1", "--out", "full/run");
    expect(status).toBe(3);
    expect(stderr).toContain("(CANNOT_WRITE)\n  why: the file system is full");
    expect(stderr).toContain("1 measured round kept; to read: bootstorm storm --from full/run");
    const read = storm("--from", "full/run", "--out", "elsewhere");
    expect([read.status, read.stderr]).toEqual([0, ""]);
    expect(read.stdout).toContain("The console of 1 boot is not on disk as a whole");
  } finally {
    bootstorm([], { cwd, command: ["umount", disk] });
  }
});

describe("interrupted", () => {
  const HANGS = "exec sleep 1000";

  test("before a round was measured: status 130, and nothing stays, not even a folder", async () => {
    const run = startBootstorm(["storm", scenario([group(HANGS)]), "--vms", "3"], { cwd, env });
    await until(() => processesOf(run.pid).length === 3);
    run.kill("SIGINT");
    const { status, stdout, stderr } = await run.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect(stderr).toContain("bootstorm: interrupted (INTERRUPTED)");
    expect([processesOf(run.pid), registers()]).toEqual([[], []]);
    expect(filesIn(cwd).sort()).toEqual(["runtime", "runtime/bootstorm", "storm.json.yaml"]);
  });

  test("after that: what was measured stays, and can be read", async () => {
    // The first one boots, and all others hang.
    const file = scenario([group(`[ -e first ] && ${HANGS}; touch first; ${STAYS}`)]);
    const flags = ["--vms", "1", "--repetitions", "3", "--warm-ups", "0", "--no-record"];
    const run = startBootstorm(["storm", file, ...flags, "--out", "run"], { cwd, env });
    const rounds = () => readFileSync(join(cwd, "run/rounds.jsonl"), "utf8").split("\n").length - 2;
    await until(() => existsSync(join(cwd, "run/rounds/001/vm-0")));
    run.kill("SIGTERM");
    const { status, stderr } = await run.ended;
    expect(status).toBe(130);
    expect(stderr).toContain("1 measured round kept; to read: bootstorm storm --from run");
    expect(processesOf(run.pid)).toEqual([]);
    expect(rounds()).toBe(1);
    expect(readdirSync(join(cwd, "run/rounds"))).toEqual(["000"]);
    expect(JSON.parse(storm("--from", "run", "--json").stdout).result.points).toMatchObject([
      { vms: 1, rounds: 1, failed: 0 },
    ]);
  });

  test("a folder that was there before stays, with what is in it", async () => {
    mkdirSync(join(cwd, "kept"));
    writeFileSync(join(cwd, "kept/notes"), "mine");
    const args = ["storm", scenario([group(HANGS)]), "--vms", "1", "--out", "kept"];
    const run = startBootstorm(args, { cwd, env });
    await until(() => processesOf(run.pid).length === 1);
    run.kill("SIGINT");
    await run.ended;
    expect(filesIn(join(cwd, "kept"))).toEqual(["notes"]);
  });

  test("by SIGKILL: what a VMM sent away is ended by the next start, which says so", async (ctx) => {
    const missing = needs("program setsid");
    if (missing) return ctx.skip(missing);
    const file = scenario([group(`setsid sleep 1000 & ${HANGS}`)]);
    const run = startBootstorm(["storm", file, "--vms", "1", "--out", "run"], { cwd, env });
    await until(() => processesOf(run.pid).length === 2);
    run.kill("SIGKILL");
    await run.ended;
    expect(registers().length).toBe(1);
    expect(storm("no-such-scenario").stderr).toMatch(
      /^bootstorm: a run before this one was killed; ended [12] process(es)? of it\n/,
    );
    expect([processesOf(run.pid), registers()]).toEqual([[], []]);
  });
});
