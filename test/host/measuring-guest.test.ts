// The life of a guest that measures, with VMMs that are shell scripts and do whatever a VM may do.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type MeasuringAsk, runMeasuringGuest } from "../../src/host/qemu/measuring-guest.ts";
import { gone } from "../fixtures/vms.ts";

const DONE = "measured: all";
const CONSOLE_BYTES_MAX = 64 << 10;

let folder: string;
let pids: number[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  pids = [];
});
afterEach(async () => {
  // Whatever came of a guest, none is left.
  await gone(...pids);
  rmSync(folder, { recursive: true });
});

const run = (script: string, changed: Partial<MeasuringAsk> = {}) =>
  runMeasuringGuest({
    ...{ program: "/bin/sh", args: ["-c", script] },
    consoleFile: join(folder, "console.log"),
    consoleBytesMax: CONSOLE_BYTES_MAX,
    doneText: DONE,
    ...{ silenceMs: 60_000, limitMs: 60_000 },
    signal: new AbortController().signal,
    onVm: (pid) => pids.push(pid),
    ...changed,
  });

const FOREVER = "while :; do sleep 1; done";

test("done: all that it said, also on disk, for us alone", async () => {
  const guest = await run(`echo one; echo ${DONE}`);
  const said = `one\n${DONE}\n`;
  expect(guest).toMatchObject({ outcome: "done", console: said });
  expect(guest).not.toHaveProperty("why");
  expect(guest).not.toHaveProperty("consoleTail");
  expect(readFileSync(join(folder, "console.log"), "utf8")).toBe(said);
  expect(statSync(join(folder, "console.log")).mode & 0o077).toBe(0);
});

test("done, told in two pieces, and then it does not end: it is ended", async () => {
  const [first, rest] = [DONE.slice(0, 5), DONE.slice(5)];
  const guest = await run(`printf '${first}'; sleep 0.2; echo '${rest}'; ${FOREVER}`);
  expect(guest.outcome).toBe("done");
});

test("done, and its last words are a panic, or a status: done all the same", async () => {
  const guest = await run(`echo ${DONE}; echo "Kernel panic - not syncing: late"; exit 3`);
  expect(guest.outcome).toBe("done");
});

test.each([
  [
    "panic, and the VM hangs on",
    `echo "Kernel panic - not syncing: Oops"; ${FOREVER}`,
    "panic",
    /^Kernel panic - not syncing: Oops$/,
  ],
  ["it ends by itself", "echo half a li", "ended", /by itself before it was done$/],
  ["QEMU refuses", "echo no such device >&2; exit 1", "vmm-failed", /status 1.*no such device/],
  ["QEMU aborts", "kill -ABRT $$", "vmm-failed", /SIGABRT/],
  ["somebody kills it", "kill -KILL $$", "killed", /SIGKILL from elsewhere/],
  [
    "somebody asks QEMU to end, which it does with status 0",
    "echo 'qemu-system-x86_64: terminating on signal 15 from pid 1 (init)' >&2",
    "killed",
    /terminating on signal 15/,
  ],
  [
    "it floods its console",
    "while :; do echo 0123456789012345678901234567890123456789; done",
    "hung",
    /more than 65536 bytes/,
  ],
  ["it floods without a line", "cat /dev/zero", "hung", /more than 65536 bytes/],
] as const)("%s", async (_, script, outcome, why) => {
  const guest = await run(script);
  expect(guest).toMatchObject({ outcome, why: expect.stringMatching(why) });
  expect(guest.consoleTail!.length).toBeLessThanOrEqual(20);
  expect(guest.console.length).toBeLessThanOrEqual(CONSOLE_BYTES_MAX);
  expect(statSync(join(folder, "console.log")).size).toBeLessThanOrEqual(CONSOLE_BYTES_MAX);
});

test("silent for too long: it hangs, also where it writes and never ends a line", async () => {
  const hangs = await run(`echo one; ${FOREVER}`, { silenceMs: 300 });
  expect(hangs).toMatchObject({ outcome: "hung", why: "nothing new for 0.3 s", console: "one\n" });
  const dots = await run("while :; do printf .; sleep 0.05; done", { silenceMs: 300 });
  expect(dots).toMatchObject({ outcome: "hung", why: "nothing new for 0.3 s" });
});

test("each line is a sign of life; only its whole time ends one that goes on talking", async () => {
  const lines = "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.3; done";
  const slow = await run(`${lines}; echo ${DONE}`, { silenceMs: 2_000 });
  expect(slow.outcome).toBe("done");
  const talks = await run("while :; do echo .; sleep 0.1; done", { limitMs: 500 });
  expect(talks).toMatchObject({ outcome: "hung", why: expect.stringMatching(/^not done within/) });
});

test("no such program: it failed, and nobody waits for its silence", async () => {
  const guest = await run("", { program: join(folder, "no-such-qemu"), args: [] });
  expect(guest.outcome).toBe("vmm-failed");
  expect(guest.why).toContain("no-such-qemu");
});

test("given up in the middle: the reason is thrown, and it is gone with what it started", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const onVm = (pid: number) => {
    pids.push(pid);
    controller.abort(reason);
  };
  const guest = run(`sleep 1000 & ${FOREVER}`, { signal: controller.signal, onVm });
  await expect(guest).rejects.toBe(reason);
  await expect(run("echo", { signal: controller.signal })).rejects.toBe(reason);
  expect(pids.length).toBe(1);
});
