// Does watching a VM slow its boot? The same guests are started by us and by a loop of the shell that
// knows nothing of them but their end, round by round in random order. Both are timed from the start
// of the round to the end of each VM, which switches itself off when it is ready.
//
//   npm run build && npx tsx bench/vm-driver.ts
//
// ROUNDS=30 and VMS=1,4 in the environment change how much it does. Needs QEMU, busybox, bash and a
// kernel in /boot.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { randomFrom, shuffled } from "../src/core/random.ts";
import { DEFAULT_MACHINE } from "../src/core/scenario/machine.ts";
import { ratioOfMedians } from "../src/core/stats/bootstrap.ts";
import { buildInitramfs } from "../src/host/guest/initramfs.ts";
import { findKernel } from "../src/host/guest/kernel-image.ts";
import { commandLine, type FoundForQemu, qemuArgs } from "../src/host/qemu/command-line.ts";
import { startVm } from "../src/host/qemu/vm.ts";
import { openCache } from "../src/host/store/cache.ts";

const SEED = 20221;
const rounds = Number(process.env.ROUNDS ?? 30);
const sizes = (process.env.VMS ?? `1,${4 * availableParallelism()}`).split(",").map(Number);

/**
 * Each VM in a session of its own, as with us: Linux may share the CPUs among sessions (autogroup).
 * Standard output: for each VM the microseconds from the start of the loop to its end.
 */
const SHELL_LOOP = `
  start=\${EPOCHREALTIME/./}
  for ((i = 0; i < $1; i += 1)); do
    ( setsid "\${@:3}" </dev/null >"$2/shell-$i.log" 2>&1; echo $((\${EPOCHREALTIME/./} - start)) ) &
  done
  wait`;

const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
try {
  await compare();
} finally {
  rmSync(folder, { recursive: true });
}

async function compare(): Promise<void> {
  const found = await prepare();
  const random = randomFrom(SEED);
  const times = new Map(sizes.map((vms) => [vms, { ours: [] as number[], shell: [] as number[] }]));
  let cpuMs = 0;
  let watched = 0;
  for (let round = -1; round < rounds; round += 1) {
    const arms = sizes.flatMap((vms) => [
      { vms, arm: "ours" as const },
      { vms, arm: "shell" as const },
    ]);
    for (const { vms, arm } of shuffled(arms, random)) {
      const before = process.cpuUsage();
      const ms = arm === "ours" ? await byUs(found, vms) : await byShell(found, vms);
      if (round < 0) continue; // to warm up
      times.get(vms)![arm].push(...ms);
      if (arm === "shell") continue;
      const { user, system } = process.cpuUsage(before);
      cpuMs += (user + system) / 1e3;
      watched += vms;
    }
  }
  console.log(`${rounds} rounds; seconds from the round's start to a VM's end, medians\n`);
  console.log("VMs  ours   shell  ours / shell [95 %]");
  for (const [vms, { ours, shell }] of times) {
    const { value, low, high } = ratioOfMedians(ours, shell, SEED);
    const ratio = `${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
    console.log(`${String(vms).padEnd(4)} ${median(ours)}  ${median(shell)}  ${ratio}`);
  }
  const rssMiB = process.resourceUsage().maxRSS / 1024;
  console.log(
    `\nour own CPU time ${(cpuMs / watched).toFixed(1)} ms a VM; RSS at most ${rssMiB.toFixed(0)} MiB`,
  );
}

async function prepare(): Promise<FoundForQemu> {
  const cache = openCache(join(folder, "cache"));
  const { signal } = new AbortController();
  const { path } = await findKernel(undefined, { as: "pvh", cache, signal });
  const initramfs = await buildInitramfs(cache);
  return { program: "qemu-system-x86_64", accelerator: "tcg", cpu: "max", kernel: path, initramfs };
}

function placeOf(index: number) {
  const dir = join(folder, `vm-${index}`);
  mkdirSync(dir, { recursive: true });
  const orders = { after: "exit" } as const;
  return { name: `vm-${index}`, index, dir, memoryMiB: 128, vcpus: 1, cpus: "", orders };
}

async function byUs(found: FoundForQemu, vms: number): Promise<number[]> {
  const { signal } = new AbortController();
  const places = Array.from({ length: vms }, (_, i) => placeOf(i));
  const originNs = process.hrtime.bigint();
  const running = places.map((place) =>
    startVm({
      ...commandLine({ kind: "qemu", profile: DEFAULT_MACHINE, found }, place),
      ...{ name: place.name, group: "bench", accelerator: "tcg" as const, folder: place.dir },
      ...{ consoleBytesMax: 1 << 20, readyTimeoutMs: 600_000 },
      ...{ originNs, requestedNs: 0, admittedNs: 0, afterReady: "stay" as const, signal },
    }),
  );
  const records = await Promise.all(running.map(({ done }) => done));
  const failed = records.find(({ outcome }) => outcome !== "ready");
  if (failed !== undefined) throw new Error(failed.why);
  return records.map(({ seen }) => seen.exited!.atNs / 1e6);
}

async function byShell(found: FoundForQemu, vms: number): Promise<number[]> {
  // All VMs of the loop have one name; nothing else in their lines differs from VM to VM.
  const line = [found.program, ...qemuArgs(DEFAULT_MACHINE, found, placeOf(0))];
  const args = ["-c", SHELL_LOOP, "bash", String(vms), folder, ...line];
  const { stdout } = await promisify(execFile)("bash", args);
  return stdout
    .trim()
    .split("\n")
    .map((us) => Number(us) / 1e3);
}

function median(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length / 2)]! / 1e3).toFixed(3);
}
