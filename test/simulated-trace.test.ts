// A simulated storm as a recording: what the analysis of recordings says of it must be what the
// simulator itself counted.
import { describe, expect, it } from "vitest";
import { lockWaits } from "../src/core/analyze/lock-wait.ts";
import type { LockWaitRow } from "../src/core/analyze/result.ts";
import { readTrace, writeTrace } from "../src/core/event/codec.ts";
import { LOCK_FLAG, type Trace } from "../src/core/event/schema.ts";
import { COST_KEYS } from "../src/core/kernel/cost/cost-table.ts";
import { DESIGNS } from "../src/core/kernel/design/index.ts";
import { checkScenario } from "../src/core/scenario/read.ts";
import type { Scenario } from "../src/core/scenario/scenario.ts";
import { stormOf } from "../src/core/sim/from-scenario.ts";
import { plainStorm } from "../src/core/sim/plain-storm.ts";
import { resolve, simulate } from "../src/core/sim/simulate.ts";
import { traceStorm } from "../src/core/sim/storm-trace.ts";

interface Storm {
  readonly design?: string;
  readonly kernel?: "2022" | "6.9+";
  readonly placement?: "contiguous" | "scattered";
  readonly cpus?: number;
  /** Of each launch update. */
  readonly pspMs?: number;
  readonly grain?: "exact" | "sections";
  readonly spread?: "none" | "exponential";
  readonly policy?: readonly object[];
  readonly background?: object;
  readonly acceptVcpus?: number;
}

function scenario(storm: Storm): Scenario {
  const { design = "linux-4.20", kernel = "2022", placement = "contiguous", cpus = 16 } = storm;
  const value = {
    name: "small",
    title: "small",
    host: {
      cpus,
      sockets: 1,
      coresPerL3: 2,
      memoryGiB: 2,
      design,
      kernel,
      placement,
      directMap: { state: "cold", share1g: 0, share2m: 1, share4k: 0 },
      psp: { updateMs: storm.pspMs ?? 0.001, firstUpdateMs: 0, fixedMs: 0 },
    },
    guests: [
      {
        name: "vm",
        count: 12,
        memoryMiB: 8,
        firmwareMiB: 0,
        kernelMiB: 1,
        launchExtraPages: 8,
        vcpus: 2,
        acceptVcpus: storm.acceptVcpus ?? 1,
        phases: [{ kind: "launch" }, { kind: "accept" }, { kind: "run", name: "kernel", ms: 1 }],
      },
    ],
    background: storm.background ?? {},
    policy: storm.policy ?? [],
    run: { grain: storm.grain ?? "sections", spread: storm.spread ?? "none", phaseSpread: 0 },
  };
  const names = {
    designs: DESIGNS.map((each) => each.name),
    costTables: ["epyc-milan"],
    costs: COST_KEYS,
  };
  const read = checkScenario(value, names);
  if (read.problems !== undefined) throw new Error(JSON.stringify(read.problems));
  return read.scenario;
}

const traced = (asked: Scenario, rowsMax?: number) =>
  traceStorm(stormOf(asked, resolve(asked)), rowsMax === undefined ? {} : { rowsMax });

const sum = <T>(items: readonly T[], value: (item: T) => number) =>
  items.reduce((all, item) => all + value(item), 0);

/** Each with a lock that is waited for in it. */
const storms: readonly (readonly [string, string, Storm])[] = [
  ["the host of 2022", "cpa_lock", {}],
  ["the PSP's queue", "sev_cmd_mutex", { pspMs: 0.05 }],
  ["operation by operation", "cpa_lock", { grain: "exact" }],
  ["holds by chance", "cpa_lock", { spread: "exponential" }],
  ["more tasks than CPUs", "cpa_lock", { cpus: 4, background: { cpuBurners: 2 } }],
  ["several vCPUs accept", "cpa_lock", { acceptVcpus: 2 }],
  ["without cpa_lock", "pgd_lock", { design: "no-cpa-lock" }],
  ["a lock for each PMD", "pmd_lock", { design: "per-pmd-lock", placement: "scattered" }],
  ["readers and writers", "cpa_rwlock", { design: "reader-writer" }],
  ["splits, 6.9", "vmap_purge_lock", { kernel: "6.9+" }],
  ["a semaphore around it", "cpa_lock", { design: "linux-7.3", kernel: "6.9+" }],
  ["host threads beside", "cpa_lock", { background: { rmpupdateThreads: 3 } }],
  [
    "a guest that flips pages",
    "cpa_lock",
    { background: { abusers: { count: 1, vcpus: 3, memoryMiB: 8 } } },
  ],
  ["a cap on boots", "cpa_lock", { policy: [{ name: "boot-cap", options: { boots: 4 } }] }],
];

describe.each(storms)("%s: %s", (_, waitedFor, storm) => {
  const asked = scenario(storm);
  const { result, trace } = traced(asked);
  const by = (what: "caller" | "process") => lockWaits(trace, { by: what }).rows;

  it("recording does not change the storm", () => {
    expect(result).toEqual(simulate(asked));
    expect(trace.meta).toMatchObject({ source: "sim", lost: 0, rejects: [] });
    expect(trace.meta.spanNs).toBe(result.makespanNs);
  });

  it("each lock's waits in the table are the storm's own, to the nanosecond", () => {
    const rows = by("caller");
    expect(rows.map((row) => row.lock.name)).toContain(waitedFor);
    for (const lock of result.locks) {
      const own = rows.filter((row) => row.lock.name === lock.name);
      expect([lock.name, sum(own, (row) => row.waits)]).toEqual([lock.name, lock.contended]);
      expect(sum(own, (row) => row.waitNsTotal)).toBe(lock.waitNsTotal);
      expect(Math.max(0, ...own.map((row) => row.waitNsMax))).toBe(lock.waitNsMax);
    }
    expect(trace.meta.events).toBe(sum(result.locks, (lock) => lock.contended));
  });

  it("each VM is a process that waits as long as the VM did", () => {
    const rows = by("process");
    const ofVm = (name: string) =>
      rows.filter(({ process }) => process?.replace(/ \(\d+\)$/, "") === name);
    for (const vm of result.vms) {
      expect(sum(ofVm(vm.name), (row) => row.waitNsTotal)).toBe(vm.lockWaitNs + vm.pspWaitNs);
    }
    const mine = result.vms.flatMap((vm) => ofVm(vm.name));
    for (const lock of result.locks) {
      const own = mine.filter((row) => row.lock.name === lock.name);
      expect(sum(own, (row) => row.waitNsTotal)).toBe(lock.waitNsOfVms);
    }
  });

  it("a CPU spins for one lock at a time", () => {
    const { t, waitNs, cpu, flags, length } = trace.tables.lockWait;
    const freeAt = new Float64Array(trace.meta.cpuCount);
    for (let i = 0; i < length; i += 1) {
      if ((flags[i]! & LOCK_FLAG.spin) === 0) continue;
      expect(t[i]).toBeGreaterThanOrEqual(freeAt[cpu[i]!]!);
      freeAt[cpu[i]!] = t[i]! + waitNs[i]!;
    }
  });

  it("written and read it is the same", () => {
    expect(readTrace(writeTrace(trace))).toEqual(trace);
  });
});

it("three tasks meet at one lock: who waited when, on which CPU, for how long", () => {
  // VM 0  HHH.........  H holds for 100 ns, w waits
  // VM 1  wwwHHH......
  // VM 2  wwwwwwHHH...
  const { trace } = traceStorm(plainStorm({ tasks: 3, pages: 1, holdNs: 100, thinkNs: 0 }));
  const { t, waitNs, cpu, tid, process, stack } = trace.tables.lockWait;
  expect([...waitNs]).toEqual([100, 200]);
  expect([...t]).toEqual([0, 0]);
  expect([...tid]).toEqual([2, 3]);
  expect([...process].map((i) => trace.processes[i]!.name)).toEqual(["vm1", "vm2"]);
  expect(new Set(cpu).size).toBe(2);
  // It is nobody's kernel path.
  expect([...stack]).toEqual([-1, -1]);
});

it("callers are the kernel's functions, and waiters for mutexes sleep", () => {
  const callers = (storm: Storm) =>
    new Set(
      lockWaits(traced(scenario(storm)).trace, { by: "caller" }).rows.map(
        ({ lock, caller, kind }: LockWaitRow) => `${lock.name} ${caller} ${kind}`,
      ),
    );
  expect(callers({ pspMs: 0.05, background: { rmpupdateThreads: 3 } })).toEqual(
    new Set([
      "cpa_lock rmp_make_private spin",
      "cpa_lock rmp_make_shared spin",
      "sev_cmd_mutex sev_do_cmd sleep",
    ]),
  );
  expect(callers({ kernel: "6.9+" })).toContain("vmap_purge_lock vm_unmap_aliases sleep");
});

it("locks of one name are told apart", () => {
  const { trace } = traced(scenario({ design: "per-pmd-lock", placement: "scattered", cpus: 8 }));
  const { addresses, symbols } = trace.locks;
  expect(new Set(addresses).size).toBe(addresses.length);
  const row = lockWaits(trace, { by: "caller" }).rows.find(({ lock }) => lock.name === "pmd_lock");
  expect(row!.lockCount).toBe(symbols.filter((s) => trace.strings[s] === "pmd_lock").length);
  expect(row!.lockCount).toBeGreaterThan(1);
});

it("a recording that is full ends: what it has is true, and what is left out is counted", () => {
  const asked = scenario({});
  const all = traced(asked).trace;
  const rowsOf = ({ tables: { lockWait } }: Trace) =>
    Array.from(lockWait.t, (t, i) => `${t} ${lockWait.waitNs[i]} ${lockWait.tid[i]}`);
  for (const rowsMax of [0, 1, 100, all.meta.events - 1, all.meta.events]) {
    const { trace, result } = traced(asked, rowsMax);
    const { events, lost, spanNs } = trace.meta;
    expect([events, lost]).toEqual([rowsMax, all.meta.events - rowsMax]);
    expect(result).toEqual(simulate(asked));
    const known = new Set(rowsOf(all));
    expect(rowsOf(trace).every((row) => known.has(row))).toBe(true);
    expect(trace.tables.lockWait.t.every((t) => t <= spanNs)).toBe(true);
    expect(spanNs).toBeLessThanOrEqual(result.makespanNs);
    expect(spanNs < result.makespanNs).toBe(lost > 0);
    // All that were over before its end are in it.
    const kept = new Set(rowsOf(trace));
    const { t, waitNs } = all.tables.lockWait;
    const over = rowsOf(all).filter((_, i) => t[i]! + waitNs[i]! < spanNs);
    expect(over.every((row) => kept.has(row))).toBe(true);
  }
});
