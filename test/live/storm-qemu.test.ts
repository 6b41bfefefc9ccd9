// `bootstorm storm` with real VMs of QEMU, by whatever runs guests here: few and small ones.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  bootstorm,
  filesIn,
  schemaErrors,
  startBootstorm,
  until,
  workersOf,
} from "../cli/bootstorm.ts";
import { vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";
import { processesOf } from "./storm-processes.ts";

const ONCE = ["--repetitions", "1", "--warm-ups", "0"];
const QUICK = [...ONCE, "--no-record"];

let cwd: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-storm-"));
  mkdirSync(join(cwd, "runtime"), { mode: 0o700 });
  env = { ...process.env, XDG_RUNTIME_DIR: join(cwd, "runtime") };
});
afterEach(() => rmSync(cwd, { recursive: true }));

const storm = (...args: string[]) => bootstorm(["storm", ...args], { cwd, env });
const registers = () => readdirSync(join(cwd, "runtime/bootstorm"));

describe("with QEMU", () => {
  beforeEach((ctx) => {
    const missing = vmNeeds();
    if (missing) ctx.skip(missing);
  });

  test("1 and 2 VMs: all get ready, every phase has a length, and all adds up", (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const { status, stdout, stderr } = storm("--vms", "1,2", ...ONCE, "--out", "run", "--json");
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("storm", document)).toEqual([]);
    const { points, vms, blame, locks, contention } = document.result;
    expect(points).toMatchObject([
      { vms: 1, boots: 1, failed: 0 },
      { vms: 2, boots: 2, failed: 0 },
    ]);
    expect(vms.length).toBe(3);
    for (const { outcome, phasesMs, readyMs, sinceRequestMs, atMs } of vms) {
      expect(outcome).toBe("ready");
      for (const phase of ["vmm", "kernel", "userspace"]) expect(phasesMs).toHaveProperty(phase);
      const lengths: number[] = Object.values(phasesMs);
      expect(lengths.reduce((a, b) => a + b)).toBeCloseTo(sinceRequestMs, 3);
      expect(atMs.ready - atMs.admitted).toBeCloseTo(readyMs, 3);
    }
    expect(blame.length).toBe(1);
    expect(locks.map((point: { vms: number }) => point.vms)).toEqual([1, 2]);
    expect(contention.trace.events).toBeGreaterThan(0);
    expect(JSON.parse(storm("--from", "run", "--json").stdout)).toEqual(document);
  });

  test("limits beside each other: one at a time, each in service is alone", () => {
    const flags = ["--vms", "2", "--compare-limits", "1,none", ...QUICK, "--json"];
    const { status, stdout, stderr } = storm(...flags);
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("storm", document)).toEqual([]);
    const [none, one] = document.result.points;
    expect([none.limit, one.limit]).toEqual(["none", "1"]);
    expect(one.phasesMs.queue).toBeGreaterThan(none.phasesMs.queue);
    expect(one.readyMs.max).toBeLessThan(one.sinceRequestMs.max);
  });

  test("guests that panic or leave are told by their reasons; a hostile name does nothing", () => {
    const name = "x,process=/tmp;$(touch pwned),`touch pwned`,<b>";
    const group = (name: string, append = "") => ({
      name,
      memoryMiB: 256,
      machine: { kind: "tiny", append },
    });
    const guests = [
      group(name),
      group("panics", "bootstorm.fault=panic"),
      group("leaves", "bootstorm.fault=exit"),
    ];
    writeFileSync(join(cwd, "faults.yaml"), JSON.stringify({ name: "faults", title: "x", guests }));
    const { status, stdout } = storm("faults.yaml", "--vms", "3", ...QUICK, "--out", "run");
    expect(status).toBe(0);
    expect(stdout.replaceAll("\n", " ")).toContain("2 of 3 boots failed.");
    expect(stdout).toContain("Kernel panic - not syncing");
    const { vms } = JSON.parse(storm("--from", "run", "--json").stdout).result;
    expect(vms).toMatchObject([
      { name: `${name}-0`, outcome: "ready" },
      { outcome: "panic", why: expect.stringMatching(/^Kernel panic - not syncing/) },
      { outcome: "ended", why: expect.stringContaining("last seen: init") },
    ]);
    expect(filesIn(cwd).filter((path) => path.endsWith("pwned"))).toEqual([]);
    expect(readFileSync(join(cwd, "run/report.html"), "utf8")).not.toContain(",<b>");
  });

  test("guests that loop and that flood their console time out; none ready: status 1", () => {
    const set = (path: string) => ["--set", path];
    const flags = [
      ...set('guests=[{"name":"loops"},{"name":"floods"}]'),
      ...set('guests[0].machine={"kind":"tiny","readyTimeoutS":15}'),
      ...set('guests[1].machine={"kind":"tiny","readyTimeoutS":15}'),
      ...set("guests[0].machine.append=bootstorm.fault=loop"),
      ...set("guests[1].machine.append=bootstorm.fault=flood"),
      ...set("sweep=[]"),
    ];
    const { status, stdout, stderr } = storm(...flags, "--vms", "2", ...QUICK, "--out", "run");
    expect(status, stderr).toBe(1);
    expect(stdout).toMatch(/^No VM got ready: 2 boots timed out\./);
    const console = readFileSync(join(cwd, "run/rounds/000/vm-1/console.log"), "latin1");
    expect(console.length).toBeLessThanOrEqual(1 << 20);
  });

  test("pressure beside a boot", (ctx) => {
    const missing = needs("memfd_secret");
    if (missing) return ctx.skip(missing);
    const flags = ["--vms", "1", "--pressure", "1", "--yes", ...QUICK, "--json"];
    const { status, stdout, stderr } = storm(...flags);
    expect(status, stderr).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("storm", document)).toEqual([]);
    expect(document.result.points).toMatchObject([{ vms: 1, pressure: 1, failed: 0 }]);
  });

  test("without a kernel image that can be read: which, and what to do; nothing is started", () => {
    const { status, stdout, stderr } = storm("--set", "guests[0].machine.kernel=/nowhere/vmlinuz");
    expect([status, stdout]).toEqual([4, ""]);
    expect(stderr).toMatch(/\/nowhere\/vmlinuz/);
    expect(stderr).toContain("\n  do:  ");
    expect(filesIn(cwd)).toEqual(["runtime", "runtime/bootstorm"]);
  });

  test("Ctrl-C in the middle, with pressure beside: status 130, and nothing stays", async () => {
    const pressure = needs("memfd_secret") === undefined ? ["--pressure", "1", "--yes"] : [];
    const run = startBootstorm(["storm", "--vms", "2", ...pressure], { cwd, env });
    await until(() => processesOf(run.pid).length === 2);
    run.kill("SIGINT");
    const { status, stdout } = await run.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect([processesOf(run.pid), workersOf(run.pid), registers()]).toEqual([[], [], []]);
    expect(filesIn(cwd)).toEqual(["runtime", "runtime/bootstorm"]);
  });

  test("SIGKILL in the middle: no VM outlives it, and the next start removes its register", async (ctx) => {
    const missing = needs("program setpriv");
    if (missing) return ctx.skip(missing);
    const run = startBootstorm(["storm", "--vms", "2", "--no-record"], { cwd, env });
    await until(() => processesOf(run.pid).length === 2);
    run.kill("SIGKILL");
    await run.ended;
    await until(() => processesOf(run.pid).length === 0);
    expect(registers().length).toBe(1);
    storm("no-such-scenario");
    expect(registers()).toEqual([]);
  });
});

test("without QEMU: status 3, and how to get it", () => {
  const { status, stdout, stderr } = bootstorm(["storm"], { cwd, env: { ...env, PATH: cwd } });
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain("there is no QEMU to boot VMs with (NO_QEMU)");
  expect(stderr).toContain("apt-get install qemu-system-x86");
  expect(filesIn(cwd)).toEqual(["runtime", "runtime/bootstorm"]);
});
