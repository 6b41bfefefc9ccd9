// How long is a process that is slowed really without a CPU? Two of them note every gap in their own
// work; one kind computes, the other lets the kernel read 64 MiB of zeros at a time.
// Run: npx tsx bench/quota-pauses.ts [SECONDS]; needs root.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { slicesOf } from "../src/core/govern/quota.ts";
import { distributionOf } from "../src/core/stats/distribution.ts";
import { readHierarchies } from "../src/host/cgroup/hierarchy.ts";
import { foldersBelow, moveProcess } from "../src/host/cgroup/members.ts";
import { startPauses } from "../src/host/cgroup/pauses.ts";
import { WEIGHT } from "../src/host/cgroup/settings.ts";
import { takeGroup, takeTree } from "../src/host/cgroup/take.ts";

const PROCESSES = 2;
const READ_BYTES = 64 << 20;
/** Shorter ones are interrupts, and a read of that size itself takes some. */
const GAP_MS_MIN = 30;
const SHARES = [0.05, 0.5];

type Means = "freeze" | "limit" | "nothing";

/** Works until it is told to end, then prints its gaps. */
function note(isReader: boolean, seconds: number): void {
  const zeros = openSync("/dev/zero", "r");
  const buffer = Buffer.alloc(READ_BYTES);
  const gapsMs: number[] = [];
  const start = process.hrtime.bigint();
  let last = start;
  while (last - start < seconds * 1e9) {
    if (isReader) readSync(zeros, buffer);
    const now = process.hrtime.bigint();
    if (Number(now - last) / 1e6 > GAP_MS_MIN) gapsMs.push(Number(now - last) / 1e6);
    last = now;
  }
  console.log(JSON.stringify(gapsMs));
}

/**
 * What else this machine does is not to be measured: with version 1 our group has the greatest weight
 * there is. @returns undoes it
 */
function enterGreatGroup(): () => void {
  const { v1Cpu } = readHierarchies();
  if (v1Cpu === undefined) return () => {};
  const folder = join(v1Cpu, "bootstorm-bench");
  mkdirSync(folder);
  moveProcess(process.pid, folder);
  takeGroup({ kind: "v1", path: "/bootstorm-bench", folder }).setWeight(WEIGHT.max);
  return () => {
    moveProcess(process.pid, v1Cpu);
    for (const each of foldersBelow(folder).toReversed()) rmdirSync(each);
  };
}

/** @returns the gaps of all, ms */
async function measure(means: Means, share: number, kind: string): Promise<number[]> {
  const script = fileURLToPath(import.meta.url);
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, [...process.execArgv, script, kind, String(seconds)], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    }),
  );
  const releases = children.map((child) => {
    if (means === "nothing") return () => {};
    const taken = takeTree(child.pid!, means === "freeze" ? "frozen" : "limit");
    if (taken.kind === "none") throw new Error(taken.why);
    if (means === "limit") {
      taken.setLimit(share);
      return () => taken.release();
    }
    const pauses = startPauses(taken, slicesOf(share), (error) => console.error(error));
    return () => {
      pauses.stop();
      taken.release();
    };
  });
  const texts = children.map(async (child) => {
    let text = "";
    child.stdout.on("data", (bytes) => {
      text += bytes;
    });
    await once(child.stdout, "end");
    return text;
  });
  const gaps = (await Promise.all(texts)).flatMap((text) => JSON.parse(text) as number[]);
  for (const release of releases) release();
  return gaps;
}

const [first = "", second = ""] = process.argv.slice(2);
const seconds = Number(second === "" ? first || 10 : second);
if (second !== "") note(first === "reads", seconds);
else {
  const leave = enterGreatGroup();
  for (const means of ["nothing", "freeze", "limit"] as const) {
    for (const share of means === "nothing" ? [1] : SHARES) {
      for (const kind of ["computes", "reads"]) {
        const gaps = await measure(means, share, kind);
        const { median, max } = distributionOf(gaps.length === 0 ? [0] : gaps);
        console.log(
          `${means} at ${share}, ${kind}: ${gaps.length} gaps, median ${median.toFixed(0)} ms, longest ${max.toFixed(0)} ms`,
        );
      }
    }
  }
  leave();
}
