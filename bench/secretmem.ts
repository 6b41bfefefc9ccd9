// Does the pressure load through koffi cost what it costs in C? Runs both side by side, round by
// round in random order, and prints the medians and their ratio.
//
//   npm run build && npx tsx bench/secretmem.ts
//
// ROUNDS=60 and PAGES=512 in the environment change how much it does. Needs gcc.
import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import {
  pressurePhases,
  pressureScaling,
  type RoundAsk,
  type RoundResult,
} from "../src/core/analyze/pressure.ts";
import { randomFrom } from "../src/core/random.ts";
import { ratioOfMedians } from "../src/core/stats/bootstrap.ts";
import { cpusForPressure } from "../src/host/secretmem/cpus.ts";
import { type Crew, startCrew } from "../src/host/secretmem/crew.ts";
import { orderRounds, runRounds } from "../src/host/secretmem/rounds.ts";

const SEED = 20221;
const repetitions = Number(process.env.ROUNDS ?? 60);
const pages = Number(process.env.PAGES ?? 512);
const cpus = cpusForPressure();
const processCounts = [1, 2, 4, 8, 16, 32, 64].filter((count) => count <= cpus.length);

const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
try {
  await compare();
} finally {
  rmSync(folder, { recursive: true });
}

async function compare(): Promise<void> {
  const processes = Math.max(...processCounts);
  const signal = new AbortController().signal;
  const koffi = await startCrew({ processes, pages, answerLimitMs: 60_000, signal });
  const c = startPeer(processes);
  const plan = { processCounts, pages, seed: SEED };
  const random = randomFrom(SEED);
  const rounds: { koffi: RoundResult[]; c: RoundResult[] } = { koffi: [], c: [] };
  for (const ask of orderRounds({ ...plan, repetitions: 2 })) {
    await koffi.round(ask);
    await c.round(ask);
  }
  for (const ask of orderRounds({ ...plan, repetitions })) {
    const order = random.below(2) === 0 ? (["koffi", "c"] as const) : (["c", "koffi"] as const);
    for (const name of order) {
      const run = await runRounds(name === "koffi" ? koffi : c, [ask]);
      rounds[name].push(...run.rounds);
    }
  }
  await koffi.close();
  await c.close();
  print(rounds.koffi, rounds.c);
}

function print(koffi: readonly RoundResult[], c: readonly RoundResult[]): void {
  console.log(`${repetitions} rounds of ${pages} pages a process; ns per page, median [95 %]\n`);
  console.log("phase    processes  koffi                     C                         koffi / C");
  const peers = pressurePhases(c);
  for (const { phase, points } of pressurePhases(koffi)) {
    for (const { processes, nsPerPage: ours } of points) {
      const theirs = peers
        .find((peer) => peer.phase === phase)!
        .points.find((point) => point.processes === processes)!.nsPerPage;
      const costs = (rounds: readonly RoundResult[]) =>
        pressurePhaseCosts(rounds, phase === "control" ? "plain" : "secret", phase, processes);
      const { value, low, high } = ratioOfMedians(costs(koffi), costs(c), SEED);
      const cell = (d: typeof ours) =>
        `${Math.round(d.median)} [${Math.round(d.low)}, ${Math.round(d.high)}]`.padEnd(25);
      console.log(
        `${phase.padEnd(8)} ${String(processes).padEnd(9)}  ${cell(ours)} ${cell(theirs)} ` +
          `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`,
      );
    }
  }
  for (const [name, rounds] of [
    ["koffi", koffi],
    ["C", c],
  ] as const) {
    for (const { phase, processes, ratio } of pressureScaling(rounds, SEED)) {
      const range = `[${ratio.low.toFixed(2)}, ${ratio.high.toFixed(2)}]`;
      console.log(
        `${name}: ${phase} at ${processes} processes: ${ratio.value.toFixed(2)} × ${range}`,
      );
    }
  }
}

function pressurePhaseCosts(
  rounds: readonly RoundResult[],
  kind: RoundAsk["kind"],
  phase: "fill" | "free" | "control",
  processes: number,
): number[] {
  return rounds
    .filter((round) => round.kind === kind && round.processes === processes)
    .flatMap((round) =>
      round.workers.map((worker) => {
        const { startNs, endNs } = phase === "free" ? worker.free : worker.fill;
        return Number(endNs - startNs) / round.pages;
      }),
    );
}

/** The C program as a crew. */
function startPeer(processes: number): Pick<Crew, "round" | "close"> {
  const binary = join(folder, "secretmem-peer");
  const source = fileURLToPath(new URL("secretmem-peer.c", import.meta.url));
  execFileSync("gcc", ["-O2", "-Wall", "-Wextra", "-o", binary, source], { stdio: "inherit" });
  const pins = Array.from({ length: processes }, (_, i) => cpus[i % cpus.length]!);
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(binary, [pins.join()], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, "exit");
  return {
    async round(ask) {
      child.stdin.write(`${ask.kind} ${ask.processes} ${ask.pages}\n`);
      const line = await lines.next();
      if (line.done) throw new Error("the C program ended early");
      const times = line.value.trim().split(" ").map(BigInt);
      const workers = Array.from({ length: ask.processes }, (_, i) => ({
        pid: child.pid!,
        cpu: pins[i]!,
        fill: { startNs: times[4 * i]!, endNs: times[4 * i + 1]! },
        free: { startNs: times[4 * i + 2]!, endNs: times[4 * i + 3]! },
      }));
      return { ...ask, workers };
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
