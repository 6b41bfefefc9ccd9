// Of our own process, of which Node can tell the same.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { sampleVm } from "./sample.ts";

/** /proc counts in ticks of 10 ms. */
const TICK_NS = 1e7;

const cpuNs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e3;
};

test("CPU time, memory and threads are those of the process", async () => {
  const before = cpuNs();
  const sample = await sampleVm(process.pid, undefined);
  const after = cpuNs();
  expect(sample.cpuNs).toBeGreaterThanOrEqual(before - 2 * TICK_NS);
  expect(sample.cpuNs).toBeLessThanOrEqual(after + TICK_NS);
  expect(sample.memoryBytes).toBeGreaterThan(1 << 20);
  expect(sample.memoryBytes).toBeLessThanOrEqual(process.resourceUsage().maxRSS * 1024);
  expect(Object.keys(sample.threads!)).toContain(String(process.pid));
  expect(sample).not.toHaveProperty("vcpuCpuNs"); // No thread of ours has the name of a vCPU.
});

test("vCPUs that the VMM told of are added up; of some of them there is no sum", async () => {
  const one = await sampleVm(process.pid, [process.pid]);
  expect(one.vcpuCpuNs).toBeGreaterThan(0);
  expect(one.vcpuCpuNs).toBeLessThanOrEqual(one.cpuNs! + 2 * TICK_NS);
  expect(one.vcpuRunDelayNs).toBeGreaterThanOrEqual(0);
  const twice = await sampleVm(process.pid, [process.pid, process.pid]);
  expect(twice.vcpuCpuNs).toBeGreaterThanOrEqual(2 * one.vcpuCpuNs!);
  expect(await sampleVm(process.pid, [process.pid, 1])).not.toHaveProperty("vcpuCpuNs");
});

test("of a process that has ended there is nothing to tell", async () => {
  const { pid } = spawnSync("true");
  expect(await sampleVm(pid, undefined)).toEqual({});
  expect(await sampleVm(pid, [pid])).toEqual({});
});
