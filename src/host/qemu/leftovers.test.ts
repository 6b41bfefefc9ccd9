import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gone, isAlive } from "../../../test/fixtures/vms.ts";
import { needs } from "../../../test/needs.ts";
import { BootstormError } from "../../core/error.ts";
import { startTicksOf } from "../exec/start-time.ts";
import { openRegister, ownRun, RUN_VARIABLE, stateFolder, sweepLeftovers } from "./leftovers.ts";

const NOTHING = { pids: [], paths: [], kept: [] };

let folder: string;
let states: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  states = join(folder, "states");
  mkdirSync(states);
  children = [];
});
afterEach(() => {
  for (const { pid } of children) if (isAlive(pid!)) process.kill(-pid!, "SIGKILL");
  rmSync(folder, { recursive: true });
});

/** The leader of a process group, and a member. */
async function startGroup(run = ""): Promise<[leader: number, member: number]> {
  const child = spawn("/bin/sh", ["-c", "sleep 1000 & echo $!; wait"], {
    detached: true,
    env: { ...process.env, [RUN_VARIABLE]: run },
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  const [member] = await once(child.stdout, "data");
  return [child.pid!, Number(member)];
}

/** A run of this boot that is no more: our number, and the start time of somebody before us. */
const GONE = ownRun().replace(/\d+$/, "1");

/** Writes a register with a true one's first line, as a run that was killed would have left it. */
function leaveRegister(lines: readonly object[], header: object = {}, run = GONE): string {
  const own = openRegister(states);
  const [first] = readFileSync(join(states, readdirSync(states)[0]!), "utf8").split("\n");
  own.close();
  const file = join(states, `run-${run}.jsonl`);
  const all = [{ ...JSON.parse(first!), ...header }, ...lines];
  writeFileSync(file, all.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return file;
}

const asWritten = (pid: number) => ({ pid, startTicks: startTicksOf(pid)! });

test("what a killed run left is ended and removed, and then there is nothing", async () => {
  const [leader, member] = await startGroup();
  const left = join(folder, "left");
  mkdirSync(join(left, "deep"), { recursive: true });
  writeFileSync(join(left, "deep", "file"), "");
  leaveRegister([asWritten(leader), { path: left }, { path: join(left, "deep") }]);
  expect(await sweepLeftovers(states)).toEqual({
    pids: [leader],
    paths: [join(left, "deep"), left],
    kept: [],
  });
  expect([leader, member].map(isAlive)).toEqual([false, false]);
  expect(existsSync(left)).toBe(false);
  expect(readdirSync(states)).toEqual([]);
  expect(await sweepLeftovers(states)).toEqual(NOTHING);
});

test("what a VMM started is found by the run it belongs to, though the VMM has ended", async () => {
  const [leader, member] = await startGroup(GONE);
  const [stranger] = await startGroup(`${GONE}0`);
  process.kill(leader, "SIGKILL");
  await once(children[0]!, "exit");
  leaveRegister([{ pid: leader, startTicks: "1" }]);
  expect(await sweepLeftovers(states)).toEqual({ ...NOTHING, pids: [member] });
  expect([member, stranger].map(isAlive)).toEqual([false, true]);
});

test("a stranger who has the number now lives", async () => {
  const [stranger] = await startGroup();
  const startTicks = String(Number(startTicksOf(stranger)) - 1);
  leaveRegister([{ pid: stranger, startTicks }]);
  expect(await sweepLeftovers(states)).toEqual(NOTHING);
  expect(isAlive(stranger)).toBe(true);
  expect(readdirSync(states)).toEqual([]);
});

test("what a run has that goes on is left alone", async () => {
  const [leader] = await startGroup();
  const register = openRegister(states);
  const file = join(folder, "file");
  writeFileSync(file, "");
  register.process(leader);
  register.path(file);
  expect(await sweepLeftovers(states)).toEqual(NOTHING);
  expect([isAlive(leader), existsSync(file)]).toEqual([true, true]);
  register.close();
  register.close();
  expect([isAlive(leader), existsSync(file)]).toEqual([true, false]);
  expect(readdirSync(states)).toEqual([]);
});

test("a run that ends takes with it what its VMMs have sent into the background", async () => {
  const [leader, member] = await startGroup(ownRun());
  openRegister(states).close();
  await gone(leader, member);
});

test("numbers of another container or another boot are nobody's here; files of another boot go", async () => {
  const [stranger] = await startGroup();
  const file = join(folder, "file");
  writeFileSync(file, "");
  const lines = [asWritten(stranger), { path: file }];
  const other = leaveRegister(lines, {}, "1-4242-1");
  expect(await sweepLeftovers(states)).toEqual(NOTHING);
  expect([isAlive(stranger), existsSync(file), existsSync(other)]).toEqual([true, true, true]);
  leaveRegister(lines, { bootId: "another" });
  expect(await sweepLeftovers(states)).toEqual({ ...NOTHING, paths: [file] });
  expect(isAlive(stranger)).toBe(true);
});

test("a register that breaks off is used as far as it goes, even when it is empty", async () => {
  const [leader] = await startGroup();
  appendFileSync(leaveRegister([asWritten(leader)]), '{"path":"/et');
  expect(await sweepLeftovers(states)).toEqual({ ...NOTHING, pids: [leader] });
  writeFileSync(join(states, `run-${GONE}.jsonl`), "");
  expect(await sweepLeftovers(states)).toEqual(NOTHING);
  expect(readdirSync(states)).toEqual([]);
});

test("what cannot be removed is told, and tried again by the next start", async () => {
  const file = leaveRegister([{ path: "/proc/version" }]);
  for (let start = 0; start < 2; start += 1) {
    const { kept, ...rest } = await sweepLeftovers(states);
    expect(rest).toEqual({ pids: [], paths: [] });
    expect(kept).toEqual([expect.stringMatching(/^\/proc\/version: /)]);
    expect(existsSync(file)).toBe(true);
  }
});

test("the register of a later version is left to it", async () => {
  const [leader] = await startGroup();
  const file = leaveRegister([asWritten(leader)], { version: 2 });
  const { kept } = await sweepLeftovers(states);
  expect(kept).toEqual([`${file} has version 2, later than 1`]);
  expect([isAlive(leader), existsSync(file)]).toEqual([true, true]);
});

test("a process that has ended is not written down", async () => {
  const child = spawn("true", { stdio: "ignore" });
  await once(child, "exit");
  const register = openRegister(states);
  register.process(child.pid!);
  const [name] = readdirSync(states);
  expect(readFileSync(join(states, name!), "utf8").split("\n")).toHaveLength(2);
  register.close();
});

test("the folder of registers is private, or refused", (ctx) => {
  const uid = process.getuid!();
  const of = (path: string) => stateFolder(uid, { XDG_RUNTIME_DIR: path });
  const refused = (path: string) => {
    try {
      of(path);
    } catch (error) {
      return error instanceof BootstormError && error.code;
    }
    return undefined;
  };
  const made = of(folder);
  expect(statSync(made).mode & 0o777).toBe(0o700);
  expect(of(folder)).toBe(made);
  chmodSync(made, 0o770);
  expect(refused(folder)).toBe("STATE_FOLDER");

  const linked = join(folder, "linked");
  mkdirSync(linked);
  symlinkSync(states, join(linked, "bootstorm"));
  expect(refused(linked)).toBe("STATE_FOLDER");

  const missing = needs("root");
  if (missing) return ctx.skip(missing);
  chmodSync(made, 0o700);
  chownSync(made, 12345, 0);
  expect(refused(folder)).toBe("STATE_FOLDER");
});
