// The life of a VM with real ones of QEMU, and with VMMs that are hostile, or pretend.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type BootRecord, MILESTONES, type Milestone } from "../../src/core/event/boot.ts";
import { readPaced } from "../../src/host/qemu/console-pace.ts";
import { sweepLeftovers } from "../../src/host/qemu/leftovers.ts";
import { sampleVm } from "../../src/host/qemu/sample.ts";
import { startVm, type VmAsk } from "../../src/host/qemu/vm.ts";
import { startVmm } from "../../src/host/qemu/vm-process.ts";
import {
  exist,
  type Guest,
  gone,
  isAlive,
  prepareGuest,
  qemuAsk,
  scriptAsk,
  vmNeeds,
} from "../fixtures/vms.ts";
import { needs } from "../needs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WITH_QMP = { debugPort: false, qmp: true };

let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** Starts a VM and does something at the first sight of a milestone. */
function startAndAt(ask: VmAsk, milestone: Milestone, work: (pid: number) => void) {
  const vm = startVm({ ...ask, onMilestone: (seen) => seen === milestone && work(vm.pid!) });
  return vm;
}

/** The milestones that were seen, which must be in order of time. */
function milestonesOf({ seen }: BootRecord): Milestone[] {
  const names = MILESTONES.filter((name) => seen[name] !== undefined);
  const times = names.map((name) => seen[name]!.atNs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  return names;
}

describe("with QEMU", () => {
  let images: string;
  let guest: Guest;

  beforeAll(async () => {
    if (vmNeeds() !== undefined) return;
    images = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
    guest = await prepareGuest(images);
  });
  afterAll(() => {
    if (images !== undefined) rmSync(images, { recursive: true });
  });
  beforeEach((ctx) => {
    const missing = vmNeeds();
    if (missing) ctx.skip(missing);
  });

  test("a boot tells of every phase, in order, and what it used; then it is gone", async () => {
    const told: Milestone[] = [];
    const ask = qemuAsk(folder, guest);
    const vm = startVm({ ...ask, onMilestone: (milestone) => told.push(milestone) });
    const record = await vm.done;
    expect(record).toMatchObject({ name: "vm0", outcome: "ready", pid: vm.pid });
    expect(record.why).toBeUndefined();
    const seen = milestonesOf(record);
    expect(seen).toEqual(MILESTONES.filter((milestone) => milestone !== "firmware"));
    expect(told).toEqual(seen.slice(2));
    const { vmmReady, resumed, kernel, init, ready } = record.seen;
    expect([vmmReady, resumed].map((each) => each!.source)).toEqual(["qmp", "qmp"]);
    expect(kernel!.source).toBe("serial");
    expect(ready!.guestNs).toBeGreaterThanOrEqual(init!.guestNs!);
    expect(Object.values(record.threads!)).toContain("CPU 0/TCG");
    expect(record.vcpuCpuNs).toBeGreaterThan(0);
    expect(record.cpuNs).toBeGreaterThan(record.vcpuCpuNs! / 2);
    expect(record.memoryBytes).toBeGreaterThan(30 << 20);
    expect(isAlive(vm.pid!)).toBe(false);
    const log = readFileSync(join(folder, "console.log"), "latin1");
    expect(log).toMatch(/bootstorm: ready /);
    expect(record.console).toEqual({ bytes: log.length, keptBytes: log.length });
  });

  test("the debug port tells what a silent console does not", async () => {
    const ask = qemuAsk(folder, guest);
    const args = ask.args.map((word) => word.replace(/console=ttyS0 earlyprintk=\S+ /, ""));
    const record = await startVm({ ...ask, args }).done;
    expect(record.outcome).toBe("ready");
    expect(record.seen.init!.source).toBe("debug-port");
    expect(record.seen.ready!.source).toBe("debug-port");
    expect(record.console).toEqual({ bytes: 0, keptBytes: 0 });
  });

  test("a VM that stays obeys QMP until it is ended, and its boot stays ready", async () => {
    const vm = startVm({ ...qemuAsk(folder, guest), afterReady: "stay" });
    await vm.ready;
    const limitMs = 60_000;
    await vm.qmp!.execute("stop", { limitMs });
    const status = await vm.qmp!.execute("query-status", { limitMs });
    expect(status).toMatchObject({ ok: true, value: { status: "paused" } });
    expect(await vm.qmp!.execute("no-such-thing", { limitMs })).toMatchObject({ ok: false });
    // Its threads are named, so that without QMP they would be known as well.
    const { vcpuCpuNs } = await sampleVm(vm.pid!, undefined);
    vm.end();
    const record = await vm.done;
    expect(record.outcome).toBe("ready");
    expect(record.vcpuCpuNs).toBeLessThanOrEqual(vcpuCpuNs!);
    expect(isAlive(vm.pid!)).toBe(false);
  });

  test("SIGKILL right after the start", async () => {
    const vm = startVm(qemuAsk(folder, guest));
    process.kill(vm.pid!, "SIGKILL");
    const record = await vm.done;
    const why = "SIGKILL from elsewhere ended the VMM (last seen: spawned)";
    expect(record).toMatchObject({ outcome: "killed", why });
    expect(milestonesOf(record)).toEqual(["requested", "admitted", "spawned", "exited"]);
  });

  test.each(["vmmReady", "resumed", "kernel", "init"] as const)("SIGKILL at %s", async (phase) => {
    const ask = qemuAsk(folder, guest, { fault: "loop" });
    const record = await startAndAt(ask, phase, (pid) => process.kill(pid, "SIGKILL")).done;
    expect(record.outcome).toBe("killed");
    expect(record.why).toMatch(/^SIGKILL from elsewhere ended the VMM/);
    expect(milestonesOf(record)).toContain(phase);
    expect(record.seen.ready).toBeUndefined();
    expect(record.consoleTail).toBeDefined();
  });

  test("SIGTERM, which QEMU obeys with status 0, is told as what it is", async () => {
    const ask = qemuAsk(folder, guest, { fault: "loop" });
    const record = await startAndAt(ask, "init", (pid) => process.kill(pid, "SIGTERM")).done;
    expect(record.outcome).toBe("killed");
    expect(record.why).toMatch(/terminating on signal 15/);
  });

  test.each<[string, (ask: VmAsk) => Partial<VmAsk>, RegExp]>([
    ["no such program", () => ({ program: "no-such-qemu" }), /no-such-qemu/],
    ["no such device", ({ args }) => ({ args: [...args, "-device", "none-such"] }), /none-such/],
    [
      "no such kernel",
      ({ args }) => ({ args: [...args, "-kernel", "/none/such"] }),
      /\/none\/such/,
    ],
    ["words that no program can have", () => ({ args: ["a\0b"] }), /did not start/],
  ])("%s: the VMM has failed, and says why", async (_, change, why) => {
    const ask = qemuAsk(folder, guest);
    const record = await startVm({ ...ask, ...change(ask) }).done;
    expect(record.outcome).toBe("vmm-failed");
    expect(record.why).toMatch(why);
    expect(record.seen.vmmReady).toBeUndefined();
  });

  test("a guest whose kernel panics", async () => {
    const record = await startVm(qemuAsk(folder, guest, { fault: "panic" })).done;
    expect(record.outcome).toBe("panic");
    expect(record.why).toMatch(/^Kernel panic - not syncing: .+ \(last seen: init\)/);
    expect(record.consoleTail!.length).toBeGreaterThan(5);
    expect(record.cpuNs).toBeGreaterThan(0);
  });

  test("a guest that switches itself off before it is ready", async () => {
    const record = await startVm(qemuAsk(folder, guest, { fault: "exit" })).done;
    const why = "the VM ended before it was ready, guest-reset (last seen: init)";
    expect(record).toMatchObject({ outcome: "ended", why });
  });

  test.each(["loop", "silent"] as const)(
    "a guest with the fault %s runs out of time",
    async (fault) => {
      const ask = { ...qemuAsk(folder, guest, { fault }), readyTimeoutMs: 6_000 };
      const vm = startVm(ask);
      const record = await vm.done;
      expect(record.outcome).toBe("timeout");
      expect(record.why).toMatch(/^not ready within 6000 ms \(last seen: \w+\)$/);
      expect(record.cpuNs).toBeGreaterThan(0);
      expect(record.seen.ready).toBeUndefined();
      expect(isAlive(vm.pid!)).toBe(false);
    },
  );

  test("a guest that floods its console fills its file to the limit and no further", async () => {
    const flood = "console flood of a test\r\n".repeat(10);
    const record = await startVm({
      ...qemuAsk(folder, guest, { fault: "flood" }),
      consoleMarks: { ready: flood }, // So that it ends.
      consoleBytesMax: flood.length,
    }).done;
    expect(record.console).toMatchObject({ keptBytes: flood.length });
    expect(record.console!.bytes).toBeGreaterThan(flood.length);
    expect(statSync(join(folder, "console.log")).size).toBe(flood.length);
  });

  test("a full disk takes the console's file, not the boot", async (ctx) => {
    const missing = needs("root");
    if (missing) return ctx.skip(missing);
    const disk = join(folder, "disk");
    mkdirSync(disk);
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", disk]);
    try {
      spawnSync("dd", ["if=/dev/zero", `of=${disk}/full`, "bs=4096", "count=1"]);
      const record = await startVm(qemuAsk(disk, guest)).done;
      expect(record.outcome).toBe("ready");
      const lostBecause = "the file system is full";
      expect(record.console).toMatchObject({ keptBytes: 0, lostBecause });
    } finally {
      spawnSync("umount", [disk]);
    }
  });

  test("an interrupted run leaves none of its VMs, whatever they were about", async () => {
    const controller = new AbortController();
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on("warning", warn);
    const ask = { ...qemuAsk(folder, guest), signal: controller.signal };
    const others = Array.from({ length: 12 }, () =>
      startVm({ ...scriptAsk(folder, "sleep 1000 & wait"), signal: controller.signal }),
    );
    const vm = startAndAt(ask, "kernel", () => controller.abort());
    const records = await Promise.all([vm, ...others].map(({ done }) => done));
    process.off("warning", warn);
    expect(new Set(records.map(({ outcome }) => outcome))).toEqual(new Set(["killed"]));
    expect(records[0]!.why).toBe("the run was interrupted (last seen: kernel)");
    expect(records.map(({ pid }) => isAlive(pid!))).toEqual(records.map(() => false));
    expect(warnings).toEqual([]);
    const late = startVm(ask);
    expect(late.pid).toBeUndefined();
    expect(await late.done).toMatchObject({ outcome: "not-started", name: "vm0" });
  });
});

describe("a VMM that is hostile", () => {
  test.each([
    ["sends garbage", "printf 'HTTP/1.1 200\\n' >&4", "not a JSON object: HTTP/1.1 200"],
    ["sends ten megabytes in a line", "head -c 10000000 /dev/zero >&4", "more than 65536 bytes"],
    [
      "answers what nobody asked",
      `printf '{"QMP": {}}\\n{"return": {}, "id": 9}\\n' >&4`,
      "QMP answered what nobody asked",
    ],
    [
      "will not run the guest",
      `printf '{"QMP": {}}\\n' >&4; read begin <&4; printf '{"return": {}, "id": 1}\\n' >&4
       read cont <&4; printf '{"error": {}, "id": 2}\\n' >&4`,
      "QMP refused cont: the VMM gave no reason",
    ],
  ])("that %s on QMP has failed, and is ended", async (_, script, why) => {
    const record = await startVm(scriptAsk(folder, `${script}; sleep 1000`, WITH_QMP)).done;
    expect(record.outcome).toBe("vmm-failed");
    expect(record.why).toContain(why);
    expect(isAlive(record.pid!)).toBe(false);
  });

  test("that never greets runs out of time", async () => {
    const ask = { ...scriptAsk(folder, "sleep 1000", WITH_QMP), readyTimeoutMs: 300 };
    const record = await startVm(ask).done;
    const why = "not ready within 300 ms (last seen: spawned)";
    expect(record).toMatchObject({ outcome: "timeout", why });
  });

  test("that draws on the terminal is quoted in plain text", async () => {
    const draw = "printf '\\033[2J\\033]0;owned\\007boo\\n'";
    const record = await startVm(scriptAsk(folder, `${draw}; ${draw} >&2; exit 3`)).done;
    expect(record).toMatchObject({
      outcome: "vmm-failed",
      why: "the VMM ended with status 3 (last seen: spawned); the VMM said: boo",
      consoleTail: ["boo"],
    });
  });

  test("that leaves a process behind, in its group or out of it, keeps nobody waiting", async () => {
    const script = `
      sleep 1000 & echo $!
      setsid sh -c 'echo $$; touch ${folder}/up; exec sleep 1000' &
      until [ -e ${folder}/up ]; do :; done`;
    const record = await startVm(scriptAsk(folder, script)).done;
    expect(record.outcome).toBe("ended");
    const [inGroup, outside] = record.consoleTail!.map(Number);
    expect(isAlive(inGroup!)).toBe(false);
    process.kill(outside!, "SIGKILL");
  });
});

describe("a VMM of a person's own", () => {
  test("is known by marks on its console", async () => {
    const script = "echo SeaBIOS; echo Linux version 6; echo systemd; echo 'login: '; sleep 1000";
    const record = await startVm({
      ...scriptAsk(folder, script),
      consoleMarks: { firmware: "SeaBIOS", kernel: "Linux version", ready: "login:" },
    }).done;
    expect(record.outcome).toBe("ready");
    const phases = ["spawned", "firmware", "kernel", "ready", "exited"];
    expect(milestonesOf(record).slice(2)).toEqual(phases);
  });

  test.each([
    ["its console", "echo '[    1.09] Kernel panic - not syncing: no init'", "Kernel panic - "],
    ["QMP", `printf '{"QMP": {}}\\n{"event": "GUEST_PANICKED"}\\n' >&4`, "the guest panicked (QMP"],
  ])("that tells of a panic on %s, and then hangs, is ended", async (_, tell, why) => {
    const record = await startVm(scriptAsk(folder, `${tell}; sleep 1000`, WITH_QMP)).done;
    expect(record.outcome).toBe("panic");
    expect(record.why!.startsWith(why)).toBe(true);
  });

  test("that writes its console byte by byte wakes us far less often, and nothing is lost", async () => {
    // About a tenth of a millisecond between two bytes, as under emulation.
    const script = `
      i=0; while [ $i -lt 1000 ]; do
        printf x
        j=0; while [ $j -lt 100 ]; do j=$((j + 1)); done
        i=$((i + 1))
      done`;
    const vmm = startVmm("/bin/sh", ["-c", script], { debugPort: false, qmp: false });
    const pieces: number[] = [];
    readPaced(vmm.console!, ({ length }) => pieces.push(length));
    await vmm.closed;
    expect(pieces.reduce((sum, bytes) => sum + bytes)).toBe(1000);
    expect(pieces.length).toBeLessThan(500);
  });

  test("tells of the firmware on a channel of its own", async () => {
    const channels = { debugPort: true, qmp: false, firmware: true };
    const script = "echo SeaBIOS >&5; printf i >&3; printf r >&3; sleep 1000";
    const record = await startVm(scriptAsk(folder, script, channels)).done;
    expect(record).toMatchObject({ outcome: "ready", console: { bytes: 0 } });
    for (const phase of ["firmware", "init", "ready"] as const) {
      expect(record.seen[phase]!.source).toBe("debug-port");
    }
  });
});

describe("a run in a process of its own", () => {
  let states: string;
  beforeEach(() => {
    states = join(folder, "states");
    mkdirSync(states);
  });

  /** Starts the run, and waits until its VMs are there. */
  async function startOwner(scripts: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "test/fixtures/vm-owner.ts", JSON.stringify({ folder, states, scripts })],
      { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] },
    );
    children.push(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value ?? "null");
    return { child, pids: (await next()) as number[], next };
  }

  test("300 MB of console take no memory, and no disk beyond the limit", async () => {
    const { next } = await startOwner(["head -c 300000000 /dev/zero"]);
    const { records, rssGrowthBytes } = await next();
    expect(records[0].console).toEqual({
      bytes: 300_000_000,
      keptBytes: 1 << 20,
      lostBecause: "only its first 1048576 bytes are kept",
    });
    expect(rssGrowthBytes).toBeLessThan(100 << 20);
    expect(statSync(join(folder, "console.log")).size).toBe(1 << 20);
  });

  test("is killed: its VMs die with it, and the next start removes the rest", async (ctx) => {
    const missing = needs("program setpriv");
    if (missing) return ctx.skip(missing);
    // The second is a shell that waits for what it started, which nobody kills with it.
    const started = ["first", "second"].map((name) => join(folder, name));
    const { child, pids } = await startOwner([
      `: > '${started[0]}'; exec sleep 1000`,
      `sleep 1000 & : > '${started[1]}'; wait`,
    ]);
    await exist(...started);
    expect(pids.map(isAlive)).toEqual([true, true]);
    child.kill("SIGKILL");
    await gone(...pids);
    const scratch = join(folder, "scratch");
    expect(existsSync(scratch)).toBe(true);
    const swept = await sweepLeftovers(states);
    expect(swept).toEqual({ pids: [expect.any(Number)], paths: [scratch], kept: [] });
    expect(isAlive(swept.pids[0]!)).toBe(false);
    expect(existsSync(scratch)).toBe(false);
    expect(readdirSync(states)).toEqual([]);
  });

  test("is killed where there is no setpriv: the next start ends its VMs", async () => {
    const { child, pids } = await startOwner(["while :; do :; done"], { PATH: folder });
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(pids.map(isAlive)).toEqual([true]);
    const scratch = join(folder, "scratch");
    expect(await sweepLeftovers(states)).toEqual({ pids, paths: [scratch], kept: [] });
    expect(pids.map(isAlive)).toEqual([false]);
  });

  test("ends by itself: its VMs go with it, and so does all that it had", async () => {
    // Without setpriv it is the run itself that ends them.
    const { child, pids } = await startOwner(["while :; do :; done"], { PATH: folder });
    child.kill("SIGTERM");
    await once(child, "exit");
    await gone(...pids);
    expect(existsSync(join(folder, "scratch"))).toBe(false);
    expect(readdirSync(states)).toEqual([]);
  });
});
