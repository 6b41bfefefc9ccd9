// The weight of boots in service, with real processes that compete for one CPU.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import { type Answered, GovernorFixture } from "../fixtures/governor.ts";
import { needs } from "../needs.ts";

const HANGS_AFTER_MS = 120_000;
const CONFIG = {
  policy: [{ name: "boot-cap", options: { boots: 64 } }],
  lease: { defaultMs: 600_000, maxMs: 600_000 },
  signals: { lockWait: "off" },
  weight: { boots: 10 },
};
const BURN = "while :; do :; done";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A session of its own on the first CPU: with autogroup, a scheduling group of its own too. */
function burner(program = BURN): ChildProcess {
  const args = ["-c", "0", "sh", "-c", program];
  const child = spawn("taskset", args, { stdio: ["ignore", "pipe", "ignore"], detached: true });
  cleanups.push(() => {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // It has ended already.
    }
  });
  return child;
}

const holderOf = ({ pid }: ChildProcess) => ({ pid: pid!, startTicks: startTicksOf(pid!)! });

async function governor(config: unknown): Promise<GovernorFixture> {
  const fixture = new GovernorFixture(config);
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

const eventually = (look: () => void | Promise<void>) =>
  vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 20 });

const ask = (fixture: GovernorFixture, key: string, more = {}) =>
  fixture.send("POST", "/v1/permits", { key, vm: key, ...more });

const releaseKey = (fixture: GovernorFixture, key: string) =>
  fixture.send("POST", `/v1/permits/key=${key}/release`);

const raisedOf = async (fixture: GovernorFixture) =>
  ((await fixture.send("GET", "/v1/state")).body.weight as { raised: number }).raised;

const untilRaised = (fixture: GovernorFixture, count: number) =>
  eventually(async () => expect(await raisedOf(fixture)).toBe(count));

/** Ns on a CPU, by the scheduler's own count. */
const schedNs = ({ pid }: ChildProcess) =>
  Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]);

/** Where a process is in the hierarchy that has the cpu controller. */
function groupOf({ pid }: ChildProcess): string {
  const rows = readFileSync(`/proc/${pid}/cgroup`, "latin1").split("\n");
  const row = rows.find((each) => each.split(":")[1]!.split(",").includes("cpu")) ?? rows.at(-2)!;
  return row.split(":").slice(2).join(":");
}

/** CPU time of one to that of each of the others, while one does an amount of work. */
async function shareOf(one: ChildProcess, others: readonly ChildProcess[]): Promise<number> {
  const before = [one, ...others].map(schedNs);
  await eventually(() => expect(schedNs(one) - before[0]!).toBeGreaterThan(1e9));
  const [used = 0, ...rest] = [one, ...others].map((each, i) => schedNs(each) - before[i]!);
  return used / (rest.reduce((a, b) => a + b) / rest.length);
}

const lacks = () => needs("root", "program taskset", "file /sys/fs/cgroup/cpu/cpu.shares");

test("a boot in service gets ten times the CPU time of each neighbour, until its release", async (ctx) => {
  const missing = lacks();
  if (missing) return ctx.skip(missing);
  const [vm, ...neighbours] = [burner(), burner(), burner()] as const;
  const home = groupOf(vm);
  const fixture = await governor(CONFIG);
  await ask(fixture, "vm", { holder: holderOf(vm) });
  await untilRaised(fixture, 1);
  expect(groupOf(vm)).not.toBe(home);
  const raised = await shareOf(vm, neighbours);
  await releaseKey(fixture, "vm");
  await untilRaised(fixture, 0);
  expect(groupOf(vm)).toBe(home);
  const usual = await shareOf(vm, neighbours);
  console.log(`CPU time of the boot to that of a neighbour: ${raised}, afterwards ${usual}`);
  expect(raised).toBeGreaterThan(5);
  expect(usual).toBeLessThan(2);
});

test("a boot in service stands for those who wait, and for nobody once they have left", async (ctx) => {
  const missing = lacks();
  if (missing) return ctx.skip(missing);
  const vm = burner("exec sleep 3600");
  const home = groupOf(vm);
  const one = [{ name: "boot-cap", options: { boots: 1 } }];
  const fixture = await governor({ ...CONFIG, policy: one, weight: {} });
  await ask(fixture, "vm", { holder: holderOf(vm) });
  for (const key of ["a", "b", "c"]) await ask(fixture, key, { wait: false });
  await untilRaised(fixture, 1);
  const shares = () =>
    readFileSync(join("/sys/fs/cgroup/cpu", groupOf(vm), "cpu.shares"), "latin1");
  await eventually(() => expect(shares()).toBe(`${4 * 1024}\n`));
  for (const key of ["a", "b", "c"]) await releaseKey(fixture, key);
  await untilRaised(fixture, 0);
  expect(groupOf(vm)).toBe(home);
});

test("children go with their holder, a named process takes its place, and reload changes the weight", async (ctx) => {
  const missing = lacks();
  if (missing) return ctx.skip(missing);
  const launcher = burner("sleep 3600 & echo $!; wait");
  const child = await new Promise<ChildProcess>((resolve) => {
    launcher.stdout!.once("data", (pid) => resolve({ pid: Number(pid) } as ChildProcess));
  });
  const vm = burner("exec sleep 3600");
  const home = groupOf(vm);
  const fixture = await governor(CONFIG);
  await ask(fixture, "a", { holder: holderOf(launcher) });
  await untilRaised(fixture, 1);
  const group = groupOf(launcher);
  expect(groupOf(child)).toBe(group);
  expect(readFileSync(join("/sys/fs/cgroup/cpu", group, "cpu.shares"), "latin1")).toBe("10240\n");
  fixture.configure({ ...CONFIG, weight: { boots: 20 } });
  await fixture.send("POST", "/v1/reload");
  expect(readFileSync(join("/sys/fs/cgroup/cpu", group, "cpu.shares"), "latin1")).toBe("20480\n");
  await fixture.send("POST", "/v1/permits/key=a/renew", { holder: holderOf(vm) });
  await eventually(() => expect(groupOf(vm)).not.toBe(home));
  expect([groupOf(launcher), groupOf(child)]).toEqual([home, home]);
  fixture.configure({ ...CONFIG, weight: { boots: 1 } });
  await fixture.send("POST", "/v1/reload");
  await untilRaised(fixture, 0);
  expect(groupOf(vm)).toBe(home);
});

test("after kill -9 and restart: who is in force has the weight, what others had is cleaned up", async (ctx) => {
  const missing = lacks();
  if (missing) return ctx.skip(missing);
  const [stays, dies, leaves] = ["exec sleep 3600", "exec sleep 3600", "exec sleep 3600"].map(
    burner,
  ) as [ChildProcess, ChildProcess, ChildProcess];
  const home = groupOf(stays);
  const fixture = await governor(CONFIG);
  for (const each of [stays, dies, leaves]) {
    await ask(fixture, `${each.pid}`, { holder: holderOf(each) });
  }
  await untilRaised(fixture, 3);
  const groups = [stays, dies, leaves].map((each) => join("/sys/fs/cgroup/cpu", groupOf(each)));
  await fixture.end("SIGKILL");
  expect(groups.every((group) => existsSync(group))).toBe(true);
  process.kill(dies.pid!, "SIGKILL");
  await eventually(() => expect(startTicksOf(dies.pid!)).toBeUndefined());
  await fixture.start();
  await untilRaised(fixture, 2);
  expect(groups.some((group) => existsSync(group))).toBe(false);
  expect(groupOf(stays)).not.toBe(home);
  await releaseKey(fixture, `${leaves.pid}`);
  await eventually(() => expect(groupOf(leaves)).toBe(home));
  await fixture.end("SIGTERM");
  expect(groupOf(stays)).toBe(home);
});

test("a holder that dies, and a group that is gone, leave nothing behind and no complaint", async (ctx) => {
  const missing = lacks();
  if (missing) return ctx.skip(missing);
  const fixture = await governor(CONFIG);
  const vm = burner("exec sleep 3600");
  await ask(fixture, "a", { holder: holderOf(vm) });
  await untilRaised(fixture, 1);
  const group = join("/sys/fs/cgroup/cpu", groupOf(vm));
  vm.kill("SIGKILL");
  await untilRaised(fixture, 0);
  expect(existsSync(group)).toBe(false);
  const answer: Answered = await fixture.send("GET", "/v1/state");
  expect(answer.body.weight).toEqual({ boots: 10, raised: 0 });
});
