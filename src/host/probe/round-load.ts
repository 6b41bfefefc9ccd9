import type { RoundLoad } from "../../core/event/boot.ts";
import { readCpuTimes } from "./cpu-times.ts";
import { readIfThere, readText } from "./file.ts";

/** How often available memory is looked at, for the least of it. */
const MEMORY_LOOK_MS = 200;

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
      // Stolen time was used by somebody, but by nobody here: it is in neither part.
      const allNs = busyNs + cpu.idleNs - cpuBefore.idleNs;
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
