// What a run has outside its own process is written down while it is there, so that the next start
// finds what a run left that was killed. A file a run, named after it, in a folder that only its user
// may look into: `run-4026531836-4242-1190355.jsonl`, a line of JSON each:
//
//   {"version":1,"bootId":"0b7c…"}
//   {"pid":4250,"startTicks":"1190391"}
//   {"path":"/sys/fs/cgroup/bootstorm-4242"}
//
// What a VMM starts is known by its environment, which it has from us: a shell that was killed may
// leave the VM behind that it started.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { BootstormError, EXIT } from "../../core/error.ts";
import { startTicksOf } from "../exec/start-time.ts";
import { cannotWrite } from "../store/atomic.ts";

const VERSION = 1;

/** How long a killed process may take to be gone, looked at every so often. */
const END_LIMIT_MS = 5_000;
const END_LOOK_MS = 10;

/** The environment variable that says to which run a process belongs. */
export const RUN_VARIABLE = "BOOTSTORM_RUN";

/**
 * What tells this run from every other of this boot: where process numbers mean something, our
 * number, and when we started.
 */
export function ownRun(): string {
  return `${pidNamespace()}-${process.pid}-${startTicksOf(process.pid)}`;
}

/** What this run has, as the next start would find it. */
export interface Register {
  /** A process that leads a group of its own. One that has ended already is not written down. */
  process(pid: number): void;
  /** A file, a folder with all in it, or a cgroup. */
  path(path: string): void;
  /**
   * Ends and removes what is still there, such as a VM that its VMM sent into the background, and
   * then the register. Safe to call again.
   */
  close(): void;
}

/** What a sweep found of runs that were killed. */
export interface Swept {
  /** Leaders of the process groups that were ended. */
  readonly pids: readonly number[];
  readonly paths: readonly string[];
  /** What could not be removed, and why; it is tried again by the next start. */
  readonly kept: readonly string[];
}

/**
 * Where registers are: below XDG_RUNTIME_DIR, in /run for root, else in /tmp. Makes the folder.
 * @throws BootstormError STATE_FOLDER when others could write there
 */
export function stateFolder(
  uid = process.getuid?.() ?? 0,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const { XDG_RUNTIME_DIR } = env;
  const folder =
    XDG_RUNTIME_DIR !== undefined && isAbsolute(XDG_RUNTIME_DIR)
      ? join(XDG_RUNTIME_DIR, "bootstorm")
      : uid === 0
        ? "/run/bootstorm"
        : `/tmp/bootstorm-${uid}`;
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true });
  } catch (error) {
    throw cannotWrite(folder, error as NodeJS.ErrnoException);
  }
  const found = lstatSync(folder);
  // Whoever can write there could have us remove any file and kill any process of ours.
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
    throw new BootstormError("STATE_FOLDER", `cannot trust ${folder}`, {
      why: "it is no folder, belongs to somebody else, or others may look into it",
      remedies: [
        `see who made it: ls -ld ${folder}`,
        "set XDG_RUNTIME_DIR to a folder of your own",
      ],
      exit: EXIT.host,
    });
  }
  return folder;
}

/**
 * Begins the register of this run; it ends with `close`, at the latest with this process.
 * @throws BootstormError STATE_FOLDER, CANNOT_WRITE; so do the register's calls
 */
export function openRegister(folder = stateFolder()): Register {
  const file = join(folder, `run-${ownRun()}.jsonl`);
  const paths: string[] = [];
  let isOpen = true;

  function add(line: Header | LiveProcess | { path: string }, flag: "a" | "wx" = "a"): void {
    try {
      writeFileSync(file, `${JSON.stringify(line)}\n`, { flag, mode: 0o600 });
    } catch (error) {
      throw cannotWrite(file, error as NodeJS.ErrnoException);
    }
  }

  function close(): void {
    if (!isOpen) return;
    isOpen = false;
    process.off("exit", close);
    for (const { pid } of processesOf(ownRun())) kill(pid);
    if (removeAll(paths).refused.length === 0) rmSync(file, { force: true });
  }

  add({ version: VERSION, bootId: thisBoot() }, "wx");
  process.once("exit", close);
  return {
    process(pid) {
      const startTicks = startTicksOf(pid);
      if (startTicks !== undefined) add({ pid, startTicks });
    },
    path(path) {
      paths.push(path);
      add({ path });
    },
    close,
  };
}

/**
 * Ends and removes what runs of ours left that were killed. A process is killed only when it is the
 * very one that was written down, or says itself that it belongs to that run; and only when the run
 * is no more.
 * @throws BootstormError STATE_FOLDER
 */
export async function sweepLeftovers(folder = stateFolder()): Promise<Swept> {
  const pids: number[] = [];
  const paths: string[] = [];
  const kept: string[] = [];
  for (const name of readdirSync(folder)) {
    const run = /^run-(\d+-\d+-\d+)\.jsonl$/.exec(name)?.[1];
    if (run === undefined) continue;
    const file = join(folder, name);
    const register = readRegister(file);
    if (register.version > VERSION) {
      kept.push(`${file} has version ${register.version}, later than ${VERSION}`);
      continue;
    }
    const isThisBoot = register.bootId === thisBoot();
    if (isThisBoot && !isOver(run)) continue;
    const left = isThisBoot ? [...register.processes.filter(isAlive), ...processesOf(run)] : [];
    const found = { ...(await endAll(left)), ...removeAll(register.paths) };
    pids.push(...found.ended);
    paths.push(...found.removed);
    kept.push(...found.alive, ...found.refused);
    if (found.alive.length + found.refused.length === 0) rmSync(file, { force: true });
  }
  return { pids, paths, kept };
}

interface LiveProcess {
  readonly pid: number;
  readonly startTicks: string;
}

interface Header {
  readonly version: number;
  readonly bootId: string;
}

interface Contents extends Header {
  readonly processes: readonly LiveProcess[];
  readonly paths: readonly string[];
}

function thisBoot(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** `pid:[4026531836]`: the number differs from container to container. */
function pidNamespace(): string {
  return readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
}

/** Has the run ended? Of another container's runs we cannot tell; it sweeps for itself. */
function isOver(run: string): boolean {
  const [namespace, pid, startTicks] = run.split("-");
  return namespace === pidNamespace() && startTicksOf(Number(pid)) !== startTicks;
}

/** What can be read of a register. A run may have been killed in the middle of a line. */
function readRegister(file: string): Contents {
  const lines = readFileSync(file, "utf8").split("\n").flatMap(parseLine);
  const [first] = lines;
  const header = first !== undefined && "version" in first ? first : undefined;
  return {
    version: header?.version ?? VERSION,
    bootId: header?.bootId ?? thisBoot(),
    processes: lines.filter((line) => "pid" in line),
    paths: lines.filter((line) => "path" in line).map(({ path }) => path),
  };
}

function parseLine(text: string): (Header | LiveProcess | { readonly path: string })[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return []; // Its end is missing, or it is the empty rest after the last line.
  }
}

function isAlive({ pid, startTicks }: LiveProcess): boolean {
  return startTicksOf(pid) === startTicks;
}

/** Those that say they belong to a run; of other users' processes we cannot know. */
function processesOf(run: string): LiveProcess[] {
  const mark = `${RUN_VARIABLE}=${run}`;
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || !environmentOf(pid).includes(mark)) return [];
    const startTicks = startTicksOf(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks }];
  });
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
  } catch {
    return []; // Ended, or somebody else's.
  }
}

/** Kills processes and the groups they lead. */
async function endAll(left: readonly LiveProcess[]): Promise<{ ended: number[]; alive: string[] }> {
  for (const { pid } of left) {
    kill(-pid);
    kill(pid);
  }
  const alive: string[] = [];
  for (const each of left) {
    if (!(await hasEnded(each))) alive.push(`process ${each.pid} does not end`);
  }
  return { ended: [...new Set(left.map(({ pid }) => pid))], alive };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended just now, leads no group, or is not ours to kill: whether it is gone is looked at.
  }
}

/** Waits, within a limit, for the end of a process that was killed and is not our child. */
async function hasEnded(each: LiveProcess): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < END_LIMIT_MS; waitedMs += END_LOOK_MS) {
    if (!isAlive(each)) return true;
    await wait(END_LOOK_MS);
  }
  return false;
}

/** Removes what was written down last first: what is in a folder before the folder. */
function removeAll(paths: readonly string[]): { removed: string[]; refused: string[] } {
  const removed: string[] = [];
  const refused: string[] = [];
  for (const path of paths.toReversed().filter((each) => existsSync(each))) {
    const why = removePath(path);
    if (why === undefined) removed.push(path);
    else refused.push(`${path}: ${why}`);
  }
  return { removed, refused };
}

/** @returns why the path is still there, or nothing */
function removePath(path: string): string | undefined {
  try {
    // The files in a cgroup are the kernel's, and go with it.
    if (existsSync(join(path, "cgroup.procs"))) rmdirSync(path);
    else rmSync(path, { recursive: true, force: true });
  } catch (error) {
    return (error as NodeJS.ErrnoException).message;
  }
  return undefined;
}
