// The built binary as a person runs it, and what it may leave behind.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { vi } from "vitest";

export const checkout = fileURLToPath(new URL("../..", import.meta.url));
export const binary = `${checkout}bin/bootstorm.js`;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly cwd: string;
  /** What to run instead of this checkout's binary. */
  readonly command?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Ends a run that hangs; no test takes a tenth of it. */
const HANGS_AFTER_MS = 120_000;

export function bootstorm(args: readonly string[], surroundings: Surroundings): Ended {
  const { command = [process.execPath, binary], ...options } = surroundings;
  const [file, ...before] = [...command, ...args];
  return spawnSync(file!, before, { ...options, encoding: "utf8", timeout: HANGS_AFTER_MS });
}

export interface Running {
  readonly pid: number;
  /** All it has printed so far, on both streams. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  type(text: string): void;
  endInput(): void;
  readonly ended: Promise<Ended & { readonly signal: NodeJS.Signals | null }>;
}

export function startBootstorm(args: readonly string[], surroundings: Surroundings): Running {
  const { command = [process.execPath, binary], cwd, env } = surroundings;
  const [file, ...before] = [...command, ...args];
  const child = spawn(file!, before, { cwd, env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return {
    pid: child.pid!,
    said: () => stdout + stderr,
    kill: (signal) => void child.kill(signal),
    type: (text) => void child.stdin.write(text),
    endInput: () => void child.stdin.end(),
    ended: new Promise((resolve) => {
      child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
    }),
  };
}

/** Waits until something can be seen that comes soon. */
export function until(seen: () => boolean): Promise<void> {
  const look = () => {
    if (!seen()) throw new Error("it was never seen");
  };
  return vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 10 });
}

/** Waits until none of the processes lives whose numbers were printed. */
export function untilGone(printed: string): Promise<void> {
  const pids = printed.match(/\b\d+\b/g) ?? [];
  if (pids.length === 0) throw new Error(`no process is named in: ${printed}`);
  // What is dead but not yet buried has no command line.
  return until(() => pids.every((pid) => readIfThere(`/proc/${pid}/cmdline`) === ""));
}

/** True while a process of ours records. */
export function isRecording(pid: number): boolean {
  return tracefsMounts().some((mount) =>
    listIfThere(`${mount}/instances`)
      .filter((name) => name.startsWith(`bootstorm-${pid}-`))
      .some((name) => readIfThere(`${mount}/instances/${name}/tracing_on`) === "1\n"),
  );
}

/** Numbers of the pressure processes of a crew, whether it lives or not. */
export function workersOf(pid: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((worker) => {
      const commandLine = Number.isInteger(worker) ? readIfThere(`/proc/${worker}/cmdline`) : "";
      return commandLine.includes("worker.js") && commandLine.includes(`"parentPid":${pid},`);
    });
}

/** What a process of ours left behind: in the kernel, as processes, and half-written in a folder. */
export function leftoversOf(pid: number, folder: string): string[] {
  const own = (name: string) => name.includes(`bootstorm-${pid}-`);
  return [
    ...instances().filter(own),
    ...tracefsMounts().filter(own),
    ...workersOf(pid).map((worker) => `worker ${worker}`),
    ...filesIn(folder).filter((name) => name.endsWith(".tmp")),
  ];
}

/** Files and folders below a folder. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" });
}

/** All trace instances of the kernel, wherever tracefs is mounted, if it is; only root can look. */
function instances(): string[] {
  if (process.getuid?.() !== 0) return [];
  const look = `mount -t tracefs bootstorm-test ${tmpdir()} && ls ${tmpdir()}/instances`;
  const { stdout, stderr, status } = spawnSync("unshare", ["--mount", "sh", "-c", look], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot look for trace instances: ${stderr}`);
  return stdout.split("\n");
}

function tracefsMounts(): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "tracefs")
    .map(([, path]) => path!);
}

// What belongs to another process may go while we look.

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function listIfThere(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** What is wrong with a document of `--json`; nothing when it keeps the command's schema. */
export function schemaErrors(command: string, document: unknown): unknown[] {
  const schema = (name: string) =>
    JSON.parse(readFileSync(`${checkout}docs/schema/${name}.schema.json`, "utf8"));
  const ajv = new Ajv2020({ allErrors: true });
  for (const name of ["envelope", "shapes", "doctor", "check", "simulate", "storm"])
    ajv.addSchema(schema(name));
  const validate = ajv.getSchema(`${command}.schema.json`) ?? ajv.compile(schema(command));
  validate(document);
  return validate.errors ?? [];
}

/**
 * Copies the binary to where everybody may read it, as a checkout often lies where only root can.
 * @returns how somebody without any right runs the copy
 */
export function asNobody(copy: string): readonly string[] {
  const parts = ["bin", "dist", "package.json", "scenarios"];
  const packages = ["commander", "koffi", "@koromix", "yaml", "zod"].map(
    (name) => `node_modules/${name}`,
  );
  for (const part of [...parts, ...packages].filter((name) => existsSync(checkout + name))) {
    cpSync(checkout + part, join(copy, part), { recursive: true });
  }
  spawnSync("chmod", ["-R", "a+rX", copy]);
  const nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  return [...nobody, process.execPath, join(copy, "bin/bootstorm.js")];
}
