// The calendar, beside C++ std::priority_queue and the schedulers of ns-3 on the same hold model in
// the same run.
//   npx tsx bench/sim-calendar.ts
// The peers need Debian's g++ and libns3-dev.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Calendar } from "../src/core/sim/calendar.ts";

const EVENTS = 10_000_000;
const RUNS = 5;

/** Exponential increments, the same table for all: mean 4,000 ns. */
const increments = new Float64Array(65_536);
let state = 1;
for (let i = 0; i < increments.length; i += 1) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  increments[i] = Math.round(-4000 * Math.log((state + 0.5) / 2 ** 32));
}

interface Held {
  /** Million events a second of CPU time: this machine is shared. */
  readonly rate: number;
  /** Time of the last event: the same for everybody who has kept the order. */
  readonly end: number;
}

function hold(pending: number): Held {
  const calendar = new Calendar(pending);
  for (let id = 0; id < pending; id += 1) calendar.schedule(id, increments[id & 65_535]!);
  const start = process.cpuUsage();
  for (let i = 0; i < EVENTS; i += 1) {
    const id = calendar.pop();
    calendar.schedule(id, calendar.now + increments[i & 65_535]!);
  }
  const { user, system } = process.cpuUsage(start);
  return { rate: EVENTS / (user + system), end: calendar.now };
}

/** An event scheduler in the hold model. */
interface Scheduler {
  readonly name: string;
  readonly hold: (pending: number) => Held;
}

const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
const input = [...increments].join("\n");

/** Compiles `bench/<source>.cc`; undefined, and said, where that fails. */
function compiled(source: string, library: readonly string[], packages: string) {
  const program = join(folder, source);
  const file = fileURLToPath(new URL(`${source}.cc`, import.meta.url));
  try {
    const flags = ["-std=c++17", "-O3", "-march=native"];
    execFileSync("g++", [...flags, "-o", program, file, ...library], { stdio: "pipe" });
    return program;
  } catch {
    console.log(
      `g++ cannot compile bench/${source}.cc, so it is left out: apt install ${packages}`,
    );
    return undefined;
  }
}

function holdIn(program: string, pending: number, ...args: readonly string[]): Held {
  const all = [`${pending}`, `${EVENTS}`, ...args];
  const [rate, end] = execFileSync(program, all, { input, encoding: "utf8" }).split(" ");
  return { rate: Number(rate), end: Number(end) };
}

const schedulers: Scheduler[] = [{ name: "bootstorm", hold }];
const queue = compiled("hold-priority-queue", [], "g++");
if (queue !== undefined) {
  schedulers.push({ name: "std::priority_queue", hold: (pending) => holdIn(queue, pending) });
}
const ns3 = compiled("hold-ns3", ["-lns3-core"], "g++ libns3-dev");
if (ns3 !== undefined) {
  // All of ns-3 but its list, which is linear. The map is its default.
  for (const kind of ["Map", "Heap", "Calendar", "PriorityQueue"]) {
    const name = `ns3::${kind}Scheduler`;
    schedulers.push({ name, hold: (pending) => holdIn(ns3, pending, name) });
  }
}

console.log(
  `hold model, exponential increments, mean 4,000 ns; best of ${RUNS}, million events a CPU second`,
);
for (const pending of [256, 65_536]) {
  // In turn, so that whoever else uses this machine disturbs all alike.
  const runs = Array.from({ length: RUNS }, () => schedulers.map((each) => each.hold(pending)));
  const ends = new Set(runs.flat().map(({ end }) => end));
  console.log(`${pending} pending; ${ends.size === 1 ? "same end" : "DIFFERENT END"}`);
  for (const [i, { name }] of schedulers.entries()) {
    const best = Math.max(...runs.map((run) => run[i]!.rate));
    console.log(`  ${name.padEnd(28)} ${best.toFixed(1).padStart(5)}`);
  }
}
rmSync(folder, { recursive: true });
