import type { RoundLoad } from "../../core/event/boot.ts";
import { readIfThere, readText } from "./file.ts";

/** How often available memory is looked at, for the least of it. */
const MEMORY_LOOK_MS = 200;

/** Of USER_HZ, which is 100 for programs on every Linux we know. Source: man 5 proc, sysconf(3). */
const NS_PER_TICK = 1e7;

/** A round whose host is watched. */
export interface RoundWatch {
  /**
   * @param vmsCpuNs  CPU time of the round's VMs, to be told from everybody else's
   * @returns what the host did since the start
   */
  stop(vmsCpuNs: number): RoundLoad;
}

/**
 * Begins to watch what the host does. It keeps no process alive.
 * @throws what the file system says where /proc has no `stat` or `meminfo`
 */
export function startRoundLoad(root = "/"): RoundWatch {
  const cpuBefore = readCpuTimes(root);
  const pressureBefore = readCpuPressureUs(root);
  const startNs = process.hrtime.bigint();
  let memoryLow = readMemAvailable(root);
  const look = () => {
    memoryLow = Math.min(memoryLow, readMemAvailable(root));
  };
  const timer = setInterval(look, MEMORY_LOOK_MS).unref();
  return {
    stop(vmsCpuNs) {
      clearInterval(timer);
      look();
      const cpu = readCpuTimes(root);
      const busyNs = cpu.busyNs - cpuBefore.busyNs;
      const allNs = cpu.allNs - cpuBefore.allNs;
      const pressure = readCpuPressureUs(root);
      const elapsedUs = Number(process.hrtime.bigint() - startNs) / 1e3;
      return {
        cpuBusyShare: allNs === 0 ? 0 : busyNs / allNs,
        otherCpuNs: Math.max(0, busyNs - vmsCpuNs),
        ...(pressure === undefined || pressureBefore === undefined
          ? {}
          : { cpuPressureShare: Math.min(1, (pressure - pressureBefore) / elapsedUs) }),
        memAvailableBytesLow: memoryLow,
      };
    },
  };
}

/**
 * /proc/stat: `cpu  636701 194326 185725 1311422 3463 0 1428 478 2 0`, ticks of all CPUs as user, nice,
 * system, idle, iowait, irq, softirq, steal; guest and guest_nice are in user and nice already. Stolen
 * time was used by somebody, but by nobody here: it is in neither part.
 */
function readCpuTimes(root: string): { busyNs: number; allNs: number } {
  const line = /^cpu +(.*)$/m.exec(readText(root, "/proc/stat"));
  if (line === null) throw new Error("/proc/stat has no line for all CPUs");
  const ticks = line[1]!.split(" ").map(Number);
  const sum = (...columns: number[]) =>
    columns.reduce((all, column) => all + (ticks[column] ?? 0), 0) * NS_PER_TICK;
  const busyNs = sum(0, 1, 2, 5, 6);
  return { busyNs, allNs: busyNs + sum(3, 4) };
}

/** `some avg10=0.93 avg60=1.04 avg300=1.34 total=1616201110`: µs in which somebody waited for a CPU. */
function readCpuPressureUs(root: string): number | undefined {
  const total = /^some .*total=(\d+)$/m.exec(readIfThere(root, "/proc/pressure/cpu") ?? "");
  return total === null ? undefined : Number(total[1]);
}

/** `MemAvailable:   23456789 kB` */
export function readMemAvailable(root = "/"): number {
  const kib = /^MemAvailable: +(\d+) kB$/m.exec(readText(root, "/proc/meminfo"));
  if (kib === null) throw new Error("/proc/meminfo has no MemAvailable");
  return Number(kib[1]) * 1024;
}
