// How fast are raw ring-buffer pages decoded? Records real lock waits on this machine, then reads the
// same bytes with our decoder and with `trace-cmd report`.
//
//   npm run build && sudo npx tsx bench/decoder.ts
//
// Needs root, perf (for the load) and trace-cmd. COPIES=60 in the environment repeats the pages.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distributionOf } from "../src/core/stats/distribution.ts";
import type { RawRecording } from "../src/core/trace/raw-recording.ts";
import { readTracefs } from "../src/core/trace/tracefs.ts";
import { mountTracefs } from "../src/host/tracefs/mount.ts";
import { openRecorder, RECORDER_DEFAULTS } from "../src/host/tracefs/recorder.ts";
import { kernelSymbols } from "../src/host/tracefs/symbols.ts";

const COPIES = Number(process.env.COPIES ?? 60);
const REPETITIONS = 7;

const recording = repeat(record(), COPIES);
const symbols = kernelSymbols();
const bytes = recording.cpus.reduce((sum, { pages }) => sum + pages.length, 0);
const { events } = readTracefs(recording, symbols).meta;

const ours = Array.from({ length: REPETITIONS }, () =>
  cpuSeconds(() => readTracefs(recording, symbols)),
);
const theirs = peerSeconds(recording);

const rate = (seconds: readonly number[]) => {
  const { median, low, high } = distributionOf(seconds.map((each) => events / each / 1e6));
  return `${median.toFixed(2)} M events/s (${low.toFixed(2)} to ${high.toFixed(2)})`;
};
console.log(
  `${events} events in ${(bytes / 1e6).toFixed(1)} MB of pages, ${REPETITIONS} runs each, CPU time`,
);
console.log(`bootstorm, pages to trace (decode, merge, pair):  ${rate(ours)}`);
console.log(`trace-cmd report > /dev/null:                     ${rate(theirs)}`);

function record(): RawRecording {
  const recorder = openRecorder({ ...RECORDER_DEFAULTS, stacks: false, bufferKiBPerCpu: 65536 });
  try {
    recorder.start();
    execFileSync("perf", ["bench", "sched", "messaging", "-g", "10", "-l", "1000"], {
      stdio: "ignore",
    });
    return recorder.stop();
  } finally {
    recorder.close();
  }
}

function repeat(once: RawRecording, copies: number): RawRecording {
  const cpus = once.cpus.map((cpu) => {
    const pages = new Uint8Array(cpu.pages.length * copies);
    for (let i = 0; i < copies; i += 1) pages.set(cpu.pages, i * cpu.pages.length);
    return { ...cpu, pages };
  });
  return { ...once, cpus };
}

function cpuSeconds(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** Makes a trace.dat of the same pages and lets trace-cmd print it. */
function peerSeconds({ cpus }: RawRecording): number[] {
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
  const mount = mountTracefs();
  try {
    const header = join(folder, "header.dat");
    const file = join(folder, "trace.dat");
    const raws = cpus.map(({ cpu, pages }) => {
      const path = join(folder, `cpu${cpu}.raw`);
      writeFileSync(path, pages);
      return path;
    });
    execFileSync("trace-cmd", ["restore", "-c", "-t", mount.path, "-o", header], {
      stdio: "ignore",
    });
    execFileSync("trace-cmd", ["restore", "-i", header, "-o", file, ...raws], { stdio: "ignore" });
    return Array.from({ length: 3 }, () => {
      const timed = `TIMEFORMAT='%U %S'; time trace-cmd report ${file} > /dev/null`;
      const { stderr } = spawnSync("bash", ["-c", timed], { encoding: "utf8" });
      const [user, system] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number);
      return user! + system!;
    });
  } finally {
    mount.release();
    rmSync(folder, { recursive: true });
  }
}
