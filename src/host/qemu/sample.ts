// What a running VM has used so far, from /proc. Linux counts it anyway: reading is all it costs.
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { BootRecord } from "../../core/event/boot.ts";
import { processStat, TICK_NS } from "../exec/process-stat.ts";
import { plainLines } from "./console-tail.ts";

/** What could be read. A process that has ended has nothing to read. */
export type VmSample = Pick<
  BootRecord,
  "cpuNs" | "vcpuCpuNs" | "vcpuRunDelayNs" | "memoryBytes" | "threads"
>;

const THREADS_MAX = 1_024;

/** Names of vCPU threads: QEMU's with `-name debug-threads=on`, Firecracker's, Cloud Hypervisor's. */
const VCPU_NAME = /^(CPU \d+\/(KVM|TCG)|fc_vcpu \d+|vcpu\d+)$/;

/**
 * Reads what a VM's process has used until now. Times are read before the call returns; adding up
 * the memory takes the kernel milliseconds, so it happens beside our own work.
 * @param vcpuTids  its vCPU threads, where the VMM told; else threads are known by their names
 */
export async function sampleVm(
  pid: number,
  vcpuTids: readonly number[] | undefined,
): Promise<VmSample> {
  // The times first: a VM that is about to end has the fewest moments for them.
  const cpu = cpuNsOf(pid);
  const tids = tidsOf(pid);
  const told = vcpuTids && vcpuTimes(vcpuTids, tids);
  const threads = threadNames(tids);
  const named = tids.filter((tid) => VCPU_NAME.test(threads[tid] ?? ""));
  return defined({
    cpuNs: cpu,
    ...(told ?? vcpuTimes(named, tids)),
    threads: tids.length === 0 ? undefined : threads,
    memoryBytes: await memoryBytes(pid),
  });
}

/** User and system time of a process, to 10 ms; undefined when it has ended. */
export function cpuNsOf(pid: number): number | undefined {
  const stat = processStat(pid);
  return stat === undefined ? undefined : (Number(stat(14)) + Number(stat(15))) * TICK_NS;
}

/**
 * schedstat: `812345678 2345678 1234`, ns on a CPU, ns runnable without one, times it was put on one.
 * Of a thread it is read as /proc/TID/schedstat: to have looked into /proc/PID/task makes the kernel
 * search there when the process ends, for milliseconds and in our time (release_task() →
 * proc_invalidate_siblings_dcache(), Linux 6.18).
 * @param tids  all threads of the process: what a VMM tells may be anything
 */
function vcpuTimes(
  vcpuTids: readonly number[],
  tids: readonly number[],
): { vcpuCpuNs?: number; vcpuRunDelayNs?: number } {
  const rows = vcpuTids.flatMap((tid) => {
    const text = tids.includes(tid) ? textOf(`/proc/${tid}/schedstat`) : undefined;
    return text === undefined ? [] : [text.split(" ").map(Number)];
  });
  // The time of some of the vCPUs would be no answer; a kernel without schedstats writes zeros.
  if (rows.length === 0 || rows.length < vcpuTids.length) return {};
  const vcpuCpuNs = sumOf(rows, 0);
  return vcpuCpuNs === 0 ? {} : { vcpuCpuNs, vcpuRunDelayNs: sumOf(rows, 1) };
}

function sumOf(rows: readonly number[][], column: number): number {
  return rows.reduce((sum, row) => sum + row[column]!, 0);
}

function tidsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).slice(0, THREADS_MAX).map(Number);
  } catch {
    return []; // It has ended.
  }
}

function threadNames(tids: readonly number[]): Record<string, string> {
  const names: Record<string, string> = {};
  for (const tid of tids) {
    const name = textOf(`/proc/${tid}/comm`);
    if (name !== undefined) names[tid] = plainLines(name)[0] ?? "";
  }
  return names;
}

/** Pss shares the VMM's program among all that run it; Rss gives each all of it. */
async function memoryBytes(pid: number): Promise<number | undefined> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => "");
  const kib =
    /^Pss: +(\d+) kB$/m.exec(rollup) ??
    /^VmRSS:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/status`) ?? "");
  return kib === null ? undefined : Number(kib[1]) * 1024;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** Without what is undefined: absent is absent. */
function defined(sample: { [Key in keyof VmSample]: VmSample[Key] | undefined }): VmSample {
  return Object.fromEntries(Object.entries(sample).filter(([, value]) => value !== undefined));
}
