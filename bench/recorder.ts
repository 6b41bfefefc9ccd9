// What does recording cost the one who is recorded? Runs threads that fight for a mutex, unrecorded
// and under each recorder in turn, in one run.
//
//   npm run build && sudo npx tsx bench/recorder.ts
//
// Needs root, gcc and perf. ROUNDS=15 and READS=300000 in the environment change how much it does.
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { randomFrom } from "../src/core/random.ts";
import { distributionOf } from "../src/core/stats/distribution.ts";
import { readTracefs } from "../src/core/trace/tracefs.ts";
import { openRecorder, RECORDER_DEFAULTS } from "../src/host/tracefs/recorder.ts";
import { kernelSymbols } from "../src/host/tracefs/symbols.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const THREADS = "4";
const READS = process.env.READS ?? "300000";
const EVENTS = "lock:contention_begin,lock:contention_end";

const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
const storm = join(folder, "mutex-storm");
const data = join(folder, "perf.data");
const source = fileURLToPath(new URL("mutex-storm.c", import.meta.url));
const symbols = kernelSymbols();

interface Sample {
  readonly cpuNs: number;
  readonly events: number;
}

const METHODS: Record<string, () => Promise<Sample>> = {
  "not recorded": async () => ({ cpuNs: await run(storm, [THREADS, READS]), events: 0 }),
  "bootstorm, no stacks": () => recorded(false),
  "bootstorm, stacks on begin": () => recorded(true),
  "perf record": () => perf([]),
  "perf record -g": () => perf(["-g"]),
};

try {
  execFileSync("gcc", ["-O2", "-o", storm, source, "-lpthread"]);
  const samples = new Map<string, Sample[]>(Object.keys(METHODS).map((name) => [name, []]));
  const random = randomFrom(1);
  for (let round = 0; round < ROUNDS; round += 1) {
    const names = Object.keys(METHODS);
    while (names.length > 0) {
      const [name] = names.splice(random.below(names.length), 1);
      samples.get(name!)!.push(await METHODS[name!]!());
    }
  }
  console.log(`${THREADS} threads × ${READS} reads, ${ROUNDS} rounds in random order`);
  console.log(`${"".padEnd(28)}CPU ns a read, median (95 %)   events a run`);
  for (const [name, each] of samples) {
    const { median, low, high } = distributionOf(each.map(({ cpuNs }) => cpuNs));
    const events = distributionOf(each.map((sample) => sample.events)).median;
    const cost = `${median.toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)})`;
    console.log(`${name.padEnd(28)}${cost.padEnd(31)}${events.toFixed(0)}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function recorded(stacks: boolean): Promise<Sample> {
  const recorder = openRecorder({ ...RECORDER_DEFAULTS, stacks, bufferKiBPerCpu: 32768 });
  try {
    recorder.start();
    const cpuNs = await run(storm, [THREADS, READS]);
    return { cpuNs, events: readTracefs(recorder.stop(), symbols).meta.events };
  } finally {
    recorder.close();
  }
}

async function perf(more: readonly string[]): Promise<Sample> {
  const record = ["record", "-q", "-o", data, "-a", "-m", "16M", ...more, "-e", EVENTS, "--"];
  const cpuNs = await run("perf", [...record, storm, THREADS, READS]);
  return { cpuNs, events: await countLines("perf", ["script", "-i", data, "-F", "event"]) };
}

/** @returns the first number that the program prints */
async function run(program: string, args: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(program, [...args]);
  return Number.parseFloat(stdout);
}

/** Lines that name an event, without keeping them. */
function countLines(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
    let lines = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      lines += chunk.toString("latin1").split("contention_").length - 1;
    });
    child.on("close", () => resolve(lines));
  });
}
