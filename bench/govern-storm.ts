// Sixteen real boots at once with every fixed limit and with the governor, which knows nothing
// beforehand, in one interleaved run a case: a small kernel, the distribution's kernel, and the small one
// beside two processes that compute without end.
// Run: [SMALL_KERNEL=FILE] npx tsx bench/govern-storm.ts [REPETITIONS] [CASE ...]; needs root, QEMU and a
// kernel in /boot; the first and the last case a kernel of scripts/build-kernels.sh.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BootRound } from "../src/core/event/boot.ts";
import { readRounds } from "../src/core/event/boot-codec.ts";
import { ratioOfMedians } from "../src/core/stats/bootstrap.ts";
import { distributionOf } from "../src/core/stats/distribution.ts";

const VMS = 16;
const GOVERN = "govern";
const LIMITS = ["none", "2", "3", "4", "8", GOVERN];
const SEED = 20_260_602;
const PROGRAM = fileURLToPath(new URL("../bin/bootstorm.js", import.meta.url));
const { SMALL_KERNEL } = process.env;

const CASES = {
  small: { kernel: SMALL_KERNEL, burners: 0 },
  distribution: { kernel: undefined, burners: 0 },
  neighbours: { kernel: SMALL_KERNEL, burners: 2 },
} as const;

const [repetitions = "6", ...given] = process.argv.slice(2);
const names = given.length > 0 ? given : Object.keys(CASES);
for (const name of names as (keyof typeof CASES)[]) {
  const { kernel, burners } = CASES[name];
  if (kernel === undefined && name !== "distribution") {
    console.log(`${name}: not run, SMALL_KERNEL names no kernel`);
    continue;
  }
  const neighbours = Array.from({ length: burners }, burner);
  try {
    print(name, storm(kernel));
  } finally {
    for (const each of neighbours) each.kill("SIGKILL");
  }
}

/** A session of its own: with autogroup, a scheduling group of its own too. */
function burner(): ChildProcess {
  return spawn("sh", ["-c", "while :; do :; done"], { detached: true, stdio: "ignore" });
}

function storm(kernel: string | undefined): readonly BootRound[] {
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
  try {
    const set = kernel === undefined ? [] : ["--set", `guests[0].machine.kernel=${kernel}`];
    const words = ["--vms", String(VMS), "--repetitions", repetitions, "--no-record", "--quiet"];
    const args = ["storm", ...set, ...words, "--compare-limits", LIMITS.join(), "--out", folder];
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
    return readRounds(readFileSync(join(folder, "rounds.jsonl"))).rounds;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function print(name: string, rounds: readonly BootRound[]): void {
  const timesOf = (limit: string) => {
    const own = rounds.filter((round) => round.role === "measured" && round.limit === limit);
    const ready = own.map(({ boots }) => boots.flatMap(({ seen }) => seen.ready?.atNs ?? []));
    return {
      mean: ready.map((each) => each.reduce((sum, ns) => sum + ns, 0) / each.length / 1e9),
      all: ready.map((each) => Math.max(...each) / 1e9),
      failed: own.length * VMS - ready.flat().length,
    };
  };
  const median = (values: readonly number[]) => distributionOf(values).median;
  const fixed = LIMITS.filter((limit) => limit !== GOVERN);
  const best = fixed.reduce((a, b) => (median(timesOf(b).mean) < median(timesOf(a).mean) ? b : a));
  console.log(
    `${name}, ${repetitions} rounds each, load of others in s of CPU a round: ${others(rounds)}`,
  );
  console.log("limit    mean s  of best           all s  of none           failed");
  for (const limit of LIMITS) {
    const { mean, all, failed } = timesOf(limit);
    const ofBest = ratio(mean, timesOf(best).mean);
    const ofNone = ratio(all, timesOf("none").all);
    const cells = [limit.padEnd(7), seconds(mean), ofBest, seconds(all), ofNone, String(failed)];
    console.log(cells.join("  "));
  }

  function seconds(values: readonly number[]): string {
    return median(values).toFixed(2).padStart(6);
  }
}

function ratio(values: readonly number[], of: readonly number[]): string {
  const { value, low, high } = ratioOfMedians(values, of, SEED);
  return `${value.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`.padEnd(16);
}

function others(rounds: readonly BootRound[]): string {
  return distributionOf(rounds.map(({ load }) => load.otherCpuNs / 1e9)).median.toFixed(1);
}
