// What the governor's daemon measures of boots and of the host, with real processes.
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { BootWatch } from "../../src/app/governor/boot-watch.ts";
import type { Holder, Permit, PermitEvent } from "../../src/core/govern/permit.ts";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import { type Answered, GovernorFixture } from "../fixtures/governor.ts";
import { needs } from "../needs.ts";

const HANGS_AFTER_MS = 120_000;
const TICK_NS = 1e7;
const CONFIG = {
  policy: [{ name: "boot-cap", options: { boots: 64 } }],
  lease: { defaultMs: 600_000, maxMs: 600_000 },
  signals: { everyMs: 50, lockWait: "off" },
};

/** A shell that burns CPU time in a child that it waits for, then says what it took, and stays. */
const BURN_AND_SAY =
  "(i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done); times; exec sleep 3600 >&-";
const BURN = "while :; do :; done";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function shell(program: string): ChildProcess & { readonly holder: Holder } {
  const stdio = ["ignore", "pipe", "ignore"] as const;
  const child = spawn("sh", ["-c", program], { stdio: [...stdio], detached: true });
  // With all its children, which are in its process group.
  cleanups.push(() => void process.kill(-child.pid!, "SIGKILL"));
  const holder = { pid: child.pid!, startTicks: startTicksOf(child.pid!)! };
  return Object.assign(child, { holder });
}

async function governor(config: unknown): Promise<GovernorFixture> {
  const fixture = new GovernorFixture(config);
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

const eventually = <T>(look: () => T | Promise<T>) =>
  vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 20 });

const ask = (fixture: GovernorFixture, key: string, more = {}) =>
  fixture.send("POST", "/v1/permits", { key, vm: key, ...more });

const idOf = ({ body }: Answered) => (body.permit as { id: string }).id;

interface Shown {
  readonly values?: Readonly<Record<string, number>>;
  readonly source?: string;
  readonly agoMs?: number;
  readonly missing?: string;
  readonly lacks?: string;
}

async function signals(fixture: GovernorFixture): Promise<Readonly<Record<string, Shown>>> {
  return (await fixture.send("GET", "/v1/state")).body.signals as Record<string, Shown>;
}

/** Ns on a CPU, by the scheduler's own count. */
const schedNs = (pid: number) =>
  Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[0]);

/** A permit as a ledger would tell of it. */
function permitOf(id: number, holder: Holder, state: Permit["state"] = "granted"): Permit {
  const ask = { id, key: `${id}`, vm: "vm", tenant: 0, priority: 0, leaseNs: 1, holder };
  return { ask, state, askedNs: 0, leaseNs: 1, grantedNs: 0 };
}
const grantedOf = (id: number): PermitEvent => ({ kind: "granted", atNs: 0, id });

test("the CPU time of a boot is that of its process tree from the grant on, the reaped included", async () => {
  const child = shell(BURN_AND_SAY);
  const watch = new BootWatch();
  watch.note(grantedOf(1), permitOf(1, child.holder));
  const said = await new Promise<string>((resolve) => {
    child.stdout!.setEncoding("latin1").once("data", resolve);
  });
  // "0m0.00s 0m0.00s\n0m0.31s 0m0.01s": of the shell, and of its children.
  const saidS = [...said.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, m, s]) => Number(m) * 60 + Number(s),
  );
  const saidNs = saidS.reduce((a, b) => a + b) * 1e9;
  expect(saidNs).toBeGreaterThan(5 * TICK_NS);
  expect(Math.abs(watch.cpuNsOf(1)! - saidNs)).toBeLessThan(5 * TICK_NS);
});

test("what a launcher used before the grant is not its boot's; of two permits of one holder nobody can tell", async () => {
  const child = shell(BURN);
  await eventually(() => expect(schedNs(child.pid!)).toBeGreaterThan(30 * TICK_NS));
  const watch = new BootWatch();
  watch.note(grantedOf(1), permitOf(1, child.holder));
  const beforeNs = schedNs(child.pid!);
  await eventually(() => expect(schedNs(child.pid!) - beforeNs).toBeGreaterThan(20 * TICK_NS));
  const usedNs = schedNs(child.pid!) - beforeNs;
  expect(Math.abs(watch.cpuNsOf(1)! - usedNs)).toBeLessThan(10 * TICK_NS);
  watch.note(grantedOf(2), permitOf(2, child.holder));
  expect([watch.cpuNsOf(1), watch.cpuNsOf(2)]).toEqual([undefined, undefined]);
});

test("a process that was started for the boot and named later counts from its beginning", async () => {
  const launcher = shell("exec sleep 3600");
  const vm = shell(BURN);
  await eventually(() => expect(schedNs(vm.pid!)).toBeGreaterThan(30 * TICK_NS));
  const watch = new BootWatch();
  watch.note(grantedOf(1), permitOf(1, launcher.holder));
  const renewed = (atNs: number): PermitEvent => ({
    ...{ kind: "renewed", atNs, id: 1, leaseNs: 1, holder: vm.holder },
  });
  watch.note(renewed(600e9), permitOf(1, vm.holder));
  expect(watch.cpuNsOf(1)).toBeGreaterThan(25 * TICK_NS);
  watch.note(renewed(700e9), permitOf(1, vm.holder));
  expect(watch.cpuNsOf(1)).toBeGreaterThan(25 * TICK_NS);
  // One that ran before the grant.
  watch.note(grantedOf(2), permitOf(2, launcher.holder));
  const older = shell("exec sleep 3600");
  watch.note({ ...renewed(0), id: 2 } as PermitEvent, permitOf(2, older.holder));
  expect(watch.cpuNsOf(2)).toBe(0);
});

test("what boots used between two looks is told once, that of boots that ended meanwhile too", async () => {
  const [one, two] = [shell(BURN), shell(BURN)];
  const watch = new BootWatch();
  const startNs = schedNs(one.pid!) + schedNs(two.pid!);
  watch.note(grantedOf(1), permitOf(1, one.holder));
  watch.note(grantedOf(2), permitOf(2, two.holder));
  let toldNs = 0;
  const usedNs = () => schedNs(one.pid!) + schedNs(two.pid!) - startNs;
  for (let i = 1; i <= 3; i += 1) {
    await eventually(() => expect(usedNs()).toBeGreaterThan(i * 20 * TICK_NS));
    toldNs += watch.takeCpuNs();
  }
  const ended: PermitEvent = { kind: "ended", atNs: 0, id: 1, how: "released" };
  watch.note(ended, permitOf(1, one.holder, "ended"));
  toldNs += watch.takeCpuNs();
  expect(Math.abs(toldNs - usedNs())).toBeLessThan(20 * TICK_NS);
});

test("samples of the CPUs come while a boot is in service, and none without", async () => {
  const fixture = await governor(CONFIG);
  expect((await signals(fixture)).hostCpu!.missing).toContain("nothing was measured yet");
  const { holder } = shell(BURN);
  const id = idOf(await ask(fixture, "a", { holder }));
  const seen = () =>
    fixture.history().filter((e) => e.kind === "observed" && e.sample.kind === "host-cpu");
  await eventually(() => expect(seen().length).toBeGreaterThan(3));
  const { hostCpu } = await signals(fixture);
  expect(hostCpu!.values!.bootShare).toBeGreaterThan(0);
  expect(hostCpu!.values!.idleShare! + hostCpu!.values!.bootShare!).toBeLessThan(1.2);
  expect((await fixture.send("GET", "/metrics")).text).toMatch(
    /^bootstorm_host_cpu_boots 0\.\d+$/m,
  );
  // Of a boot without a holder nobody knows what it uses, so nobody knows what boots use.
  await ask(fixture, "b");
  await eventually(async () => {
    const now = (await signals(fixture)).hostCpu!;
    expect(now.values).not.toHaveProperty("bootShare");
    expect(now.lacks).toBe("1 boots in service have named no holder");
  });
  await fixture.send("POST", "/v1/permits/key=b/release", { outcome: "unknown" });
  await fixture.send("POST", `/v1/permits/${id}/release`);
  const count = seen().length;
  await fixture.send("GET", "/v1/state");
  expect(seen().length - count).toBeLessThanOrEqual(1);
});

test("the launcher's word on CPU time goes before our own reading, which goes before nothing", async () => {
  const fixture = await governor(CONFIG);
  const { holder } = shell(BURN);
  const released = async (key: string, more: object, body: object) => {
    const id = idOf(await ask(fixture, key, more));
    await eventually(() => expect(schedNs(holder.pid)).toBeGreaterThan(10 * TICK_NS));
    await fixture.send("POST", `/v1/permits/${id}/release`, body);
    const last = fixture.history().findLast((event) => event.kind === "ended");
    return last?.kind === "ended" ? last.outcome?.cpuNs : undefined;
  };
  expect(await released("a", { holder }, { cpuMs: 12.5 })).toBe(12_500_000);
  expect((await signals(fixture)).bootCpu).toMatchObject({ source: "told by the launcher" });
  expect(await released("b", { holder }, {})).toBeGreaterThanOrEqual(0);
  expect((await signals(fixture)).bootCpu).toMatchObject({ source: "process tree of the holder" });
  expect(await released("c", {}, {})).toBeUndefined();
});

test("lock waits of boots are recorded, those of others are not, and nothing stays in the kernel", async (ctx) => {
  const missing = needs("root", "program perf");
  if (missing) return ctx.skip(missing);
  const fixture = await governor({ ...CONFIG, signals: { everyMs: 50, lockWait: "on" } });
  const storm = shell("exec perf bench sched messaging -g 5 -l 1000000");
  const idle = shell("exec sleep 3600");
  await ask(fixture, "idle", { holder: idle.holder });
  const share = async () => (await signals(fixture)).lockWait!.values?.share;
  await eventually(async () => expect(await share()).toBe(0));
  await ask(fixture, "storm", { holder: storm.holder });
  await eventually(async () => expect(await share()).toBeGreaterThan(0));
  // The recorder ends, and another begins: only one of a process can be.
  const age = async () => (await signals(fixture)).lockWait!.agoMs;
  for (const lockWait of ["off", "on"]) {
    fixture.configure({ ...CONFIG, signals: { everyMs: 50, lockWait } });
    await fixture.send("POST", "/v1/reload");
  }
  await eventually(async () => expect(await age()).toBeGreaterThanOrEqual(0));
  const observed = fixture
    .history()
    .flatMap((e) =>
      e.kind === "observed" && e.sample.kind === "lock-wait" ? [e.sample.share] : [],
    );
  expect(observed.every((each) => each >= 0 && each <= 1)).toBe(true);
  const { pid } = fixture;
  await fixture.end("SIGTERM");
  const left = readdirSync("/sys/kernel/tracing/instances").filter((name) =>
    name.startsWith(`bootstorm-${pid}-`),
  );
  expect(left).toEqual([]);
});

test("what is switched off, or not there, is shown with its reason", async () => {
  const off = { everyMs: 50, lockWait: "off", cpuPressure: "off" };
  const fixture = await governor({ ...CONFIG, signals: off });
  const shown = await signals(fixture);
  expect(shown.lockWait).toEqual({ missing: "off (signals.lockWait)" });
  expect(shown.cpuPressure).toEqual({ missing: "off (signals.cpuPressure)" });
  expect(shown.queueTime!.missing).toContain("not available on this host: ");
  for (const signal of Object.values(shown)) {
    expect("missing" in signal || (signal.values !== undefined && signal.source !== "")).toBe(true);
  }
  fixture.configure({ ...CONFIG, signals: { everyMs: 50, lockWait: "off" } });
  await fixture.send("POST", "/v1/reload");
  expect((await signals(fixture)).cpuPressure).not.toEqual(shown.cpuPressure);
});
