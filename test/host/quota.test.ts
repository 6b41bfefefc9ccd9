// Quotas of running guests: the daemon against processes that burn kernel time, and a real guest.
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { QuotaRow } from "../../src/app/governor/quota/quota.ts";
import { PERIOD_NS, slicesOf } from "../../src/core/govern/quota.ts";
import { startPauses } from "../../src/host/cgroup/pauses.ts";
import { takeTree } from "../../src/host/cgroup/take.ts";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import { GovernorFixture } from "../fixtures/governor.ts";
import { startTickingGuest } from "../fixtures/ticking-guest.ts";
import { prepareGuest, vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";

const CPU = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup/unified";
const HANGS_AFTER_MS = 120_000;

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

beforeEach((ctx) => {
  const missing = needs("root", `file ${CPU}/cpu.shares`, `file ${V2}/cgroup.procs`);
  if (missing) ctx.skip(missing);
});

const eventually = (look: () => Promise<void> | void) =>
  vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 50 });

async function governor(quota: unknown): Promise<GovernorFixture> {
  const fixture = new GovernorFixture({ quota });
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

/**
 * Reads zeros without end: nearly all of its time is the kernel's. A session of its own has a fair
 * share of the CPUs, however much else runs here (autogroup).
 */
function burner(): ChildProcess {
  const args = ["if=/dev/zero", "of=/dev/null", "bs=64k"];
  const child = spawn("dd", args, { stdio: "ignore", detached: true });
  cleanups.push(() => void child.kill("SIGKILL"));
  return child;
}

/** A launcher whose VM has booted and runs on. */
async function bootedAs(fixture: GovernorFixture, vm: string, pid: number): Promise<void> {
  const holder = { pid, startTicks: startTicksOf(pid)! };
  await fixture.send("POST", "/v1/permits", { key: vm, vm, holder });
  const { status } = await fixture.send("POST", `/v1/permits/key=${vm}/release`, {});
  expect(status).toBe(200);
}

async function rowOf(fixture: GovernorFixture, name: string): Promise<QuotaRow | undefined> {
  const { quota } = (await fixture.send("GET", "/v1/state")).body as {
    quota: { watched: QuotaRow[] };
  };
  return quota.watched.find((row) => row.name === name);
}

/** Groups of ours on this host that belong to a daemon. */
const groupsOf = ({ pid }: GovernorFixture) =>
  [CPU, V2].flatMap((mount) =>
    readdirSync(mount, { recursive: true, encoding: "utf8" }).filter(
      (path) => path.includes(`bootstorm-`) && path.includes(`-${pid}-`),
    ),
  );

const ENFORCE = { mode: "enforce", systemCpus: 0.1 };

test.each([["freeze"], ["limit"]])(
  "%s: who burns kernel time is slowed to its quota, its neighbour is not touched",
  async (means) => {
    const fixture = await governor({ ...ENFORCE, means: [means] });
    const idle = spawn("sleep", ["3600"], { stdio: "ignore" });
    cleanups.push(() => void idle.kill("SIGKILL"));
    const burning = burner();
    await bootedAs(fixture, "abuser", burning.pid!);
    await bootedAs(fixture, "neighbour", idle.pid!);
    await eventually(async () => {
      expect(await rowOf(fixture, "abuser")).toMatchObject({ kind: "vm", means });
    });
    await eventually(async () => {
      const { systemCpus, runShare } = (await rowOf(fixture, "abuser"))!;
      expect(runShare).toBeLessThan(1);
      expect(systemCpus).toBeGreaterThan(0);
      expect(systemCpus).toBeLessThanOrEqual(0.2);
    });
    expect(await rowOf(fixture, "neighbour")).toMatchObject({ runShare: 1 });
    expect((await fixture.send("GET", "/metrics")).text).toContain(
      'bootstorm_quota_run_share{kind="vm",name="abuser"} 0.',
    );
    expect(burning.exitCode).toBeNull();
    await fixture.end("SIGTERM");
    expect(groupsOf(fixture)).toEqual([]);
  },
);

test("a dry run says who would be slowed, and touches nobody", async () => {
  const fixture = await governor({ systemCpus: 0.05 });
  const burning = burner();
  await bootedAs(fixture, "abuser", burning.pid!);
  await eventually(async () => {
    const row = (await rowOf(fixture, "abuser"))!;
    expect(row.runShare).toBeLessThan(1);
    expect(row).not.toHaveProperty("means");
  });
  expect(groupsOf(fixture)).toEqual([]);
});

test("a daemon that was killed leaves nobody frozen; the next one lifts all limits and goes on", async () => {
  const fixture = await governor({ ...ENFORCE, systemCpus: 0.05 });
  const burning = burner();
  await bootedAs(fixture, "abuser", burning.pid!);
  await eventually(() => expect(groupsOf(fixture)).not.toEqual([]));
  const left = groupsOf(fixture);
  await fixture.end("SIGKILL");
  await fixture.start();
  for (const path of left) expect(existsSync(join(V2, path))).toBe(false);
  // It knows its guests from its journal.
  await eventually(async () =>
    expect(await rowOf(fixture, "abuser")).toMatchObject({ means: "freeze" }),
  );
  await fixture.end("SIGTERM");
  expect(groupsOf(fixture)).toEqual([]);
});

test("a group of the configuration is governed as a whole; one that holds the governor never", async () => {
  const folder = join(CPU, "bootstorm-test-quota");
  mkdirSync(folder);
  cleanups.push(() => rmdirSync(folder));
  const all = [burner(), burner()];
  for (const { pid } of all) writeFileSync(join(folder, "cgroup.procs"), String(pid));
  const fixture = await governor({ ...ENFORCE, groups: ["bootstorm-test-q*"] });
  const name = "/bootstorm-test-quota";
  await eventually(async () => {
    expect(await rowOf(fixture, name)).toMatchObject({ kind: "group", means: "limit" });
  });
  expect(readFileSync(join(folder, "cpu.cfs_quota_us"), "latin1")).not.toBe("-1\n");
  // The settings change: let go, and taken no more.
  fixture.configure({ quota: { mode: "dry-run", systemCpus: 0.1, groups: ["bootstorm-test-q*"] } });
  await fixture.send("POST", "/v1/reload");
  expect(readFileSync(join(folder, "cpu.cfs_quota_us"), "latin1")).toBe("-1\n");
  fixture.configure({ quota: { ...ENFORCE, groups: ["bootstorm-test-q*"] } });
  writeFileSync(join(folder, "cgroup.procs"), String(fixture.pid));
  await fixture.send("POST", "/v1/reload");
  await eventually(async () => {
    expect((await rowOf(fixture, name))?.problem).toBe("the governor itself is in it");
  });
  for (const child of all) child.kill("SIGKILL");
  await fixture.end("SIGTERM");
});

describe("with QEMU", () => {
  test("a guest that may run a twentieth of the time lives, works, and is whole again afterwards", async (ctx) => {
    const missing = vmNeeds();
    if (missing) ctx.skip(missing);
    const folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const guest = startTickingGuest(folder, await prepareGuest(folder));
    cleanups.push(() => void guest.process.kill("SIGKILL"));
    const ticksMore = async (count: number) => {
      const wanted = guest.atS.length + count;
      await eventually(() => expect(guest.atS.length).toBeGreaterThanOrEqual(wanted));
    };
    await ticksMore(3);
    const taken = takeTree(guest.process.pid!, "frozen");
    if (taken.kind === "none") throw new Error(taken.why);
    const slices = slicesOf(0.05);
    expect(slices.pauseNs).toBeLessThan(PERIOD_NS);
    const pauses = startPauses(taken, slices, (error) => {
      throw error;
    });
    await ticksMore(8);
    pauses.stop();
    taken.release();
    await ticksMore(8);
    expect(guest.complaints).toEqual([]);
    expect(guest.process.exitCode).toBeNull();
  });
});
