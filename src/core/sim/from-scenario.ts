import { assert, assertNever } from "../assert.ts";
import type { CostsNs } from "../kernel/cost/cost-table.ts";
import type { Design } from "../kernel/design.ts";
import type { Policy } from "../policy/policy.ts";
import type { Scenario, ScenarioGuests } from "../scenario/scenario.ts";
import { arrivalsNs } from "./arrivals.ts";
import type { PageOp } from "./program.ts";
import type { BackgroundTask, PagesPhase, StormPhase, StormSetup, VmSetup } from "./setup.ts";

/** What a scenario only names, looked up. */
export interface Resolved {
  readonly design: Design;
  /** The scenario's table with its replacements. */
  readonly costs: CostsNs;
  readonly policy: Policy | undefined;
}

/** The storm of one point: everything in nanoseconds, pages and operations. */
export function stormOf(scenario: Scenario, resolved: Resolved): StormSetup {
  const { host, background, run } = scenario;
  const ops = new Operations();
  const vms = vmsOf(scenario, resolved, ops);
  const others = [
    ...threadsOf(scenario, ops),
    ...abusersOf(scenario, resolved, ops, vms.length),
    ...Array.from({ length: background.cpuBurners }, (_, i) => burner(i, background)),
  ];
  return {
    topology: {
      cpus: host.cpus,
      sockets: host.sockets,
      coresPerL3: host.coresPerL3,
      smt: host.smt,
    },
    costs: resolved.costs,
    design: resolved.design,
    flush: host.flush,
    memory: {
      regions: regionsOf(host.memoryGiB, [...vms, ...others]),
      share1g: host.directMap.state === "cold" ? host.directMap.share1g : 0,
      share2m: host.directMap.state === "cold" ? host.directMap.share2m : 0,
      placement: host.placement,
    },
    vms,
    background: others,
    ops: ops.all,
    policy: resolved.policy,
    spread: run.spread,
    phaseSpread: run.phaseSpread,
    workPerBoot: host.workPerBoot,
    seed: run.seed,
    grain: run.grain === "exact" ? "exact" : "sections",
  };
}

/** The host's, and more where guests of odd sizes and the background need them: whole gigabytes. */
function regionsOf(memoryGiB: number, owners: readonly { readonly pages: number }[]): number {
  const needed = owners.reduce((sum, { pages }) => sum + Math.ceil(pages / 512), 0);
  return Math.max(memoryGiB, Math.ceil(needed / 512)) * 512;
}

/** Page operations without repetition, by number. */
class Operations {
  readonly all: PageOp[] = [];

  number(op: PageOp): number {
    const text = JSON.stringify(op);
    const known = this.all.findIndex((other) => JSON.stringify(other) === text);
    return known >= 0 ? known : this.all.push(op) - 1;
  }
}

const PAGES_PER_MIB = 256;
const MS = 1_000_000;

function vmsOf(scenario: Scenario, resolved: Resolved, ops: Operations): VmSetup[] {
  const vms: VmSetup[] = [];
  scenario.guests.forEach((guests, group) => {
    const phases = phasesOf(scenario, guests, resolved, ops);
    for (let i = 0; i < guests.count; i += 1) {
      vms.push({
        name: `${guests.name}-${i}`,
        group,
        tenant: guests.tenant,
        priority: 0,
        startNs: 0,
        pages: guests.memoryMiB * PAGES_PER_MIB,
        tasks: guests.acceptVcpus,
        phases,
      });
    }
  });
  const starts = arrivalsNs(scenario.arrivals, vms.length, scenario.run.seed);
  return vms.map((vm, v) => ({ ...vm, startNs: starts[v]! }));
}

function phasesOf(
  scenario: Scenario,
  guests: ScenarioGuests,
  resolved: Resolved,
  ops: Operations,
): StormPhase[] {
  const memoryPages = guests.memoryMiB * PAGES_PER_MIB;
  const launchPages = guests.firmwareMiB * PAGES_PER_MIB + guests.launchExtraPages;
  assert(launchPages <= memoryPages, "the firmware fits into the guest");
  return guests.phases.flatMap((phase): StormPhase[] => {
    switch (phase.kind) {
      case "run":
        return [{ kind: "work", name: phase.name, ns: Math.round(phase.ms * MS) }];
      case "wait":
        return [{ kind: "wait", name: phase.name, ns: Math.round(phase.ms * MS) }];
      case "launch":
        return launch(scenario, resolved, ops, phase.name, launchPages);
      case "accept": {
        const planned = plannedPages(guests, memoryPages, resolved.policy);
        const pages = Math.min(planned, memoryPages - launchPages);
        return pages <= 0
          ? []
          : [accept(scenario, guests, resolved, ops, phase.name, launchPages, pages)];
      }
      default:
        return assertNever(phase);
    }
  });
}

/** Create, and one PSP command for each page after the host has given it away. */
function launch(
  { host }: Scenario,
  { costs }: Resolved,
  ops: Operations,
  name: string,
  pages: number,
): StormPhase[] {
  const fixedNs = Math.round((host.psp.fixedMs + host.psp.firstUpdateMs) * MS);
  const op = ops.number({ kind: "kernel", request: requestOf(host.kernel, "private"), leadNs: 0 });
  return [
    { kind: "work", name, ns: costs.vmCreate },
    { kind: "psp", name, ns: fixedNs },
    {
      ...pagesPhase(name, [op], pages),
      pspNs: Math.round(host.psp.updateMs * MS),
    },
  ];
}

function plannedPages(
  guests: ScenarioGuests,
  memoryPages: number,
  policy: Policy | undefined,
): number {
  const lazy = Math.max(guests.lazyShare * guests.memoryMiB, guests.lazyMinMiB) * PAGES_PER_MIB;
  const acceptPages =
    guests.acceptance === "eager" ? memoryPages : Math.min(memoryPages, Math.round(lazy));
  return policy === undefined ? acceptPages : policy.plan({ memoryPages, acceptPages }).acceptPages;
}

function accept(
  scenario: Scenario,
  guests: ScenarioGuests,
  { costs }: Resolved,
  ops: Operations,
  name: string,
  firstPage: number,
  pages: number,
): PagesPhase {
  const { pageSize, pscEntries, acceptVcpus } = guests;
  const each = acceptOp(scenario, costs, pageSize, "private");
  return {
    ...pagesPhase(name, [ops.number(each.op)], Math.ceil(pages / each.pages)),
    ...exits(costs, pscEntries, each.pages),
    pagesPerOp: each.pages,
    firstPage,
    split: acceptVcpus > 1,
  };
}

/** The operation that one page, or one 2 MiB, of a page state change comes down to on this host. */
function acceptOp(
  { host }: Scenario,
  costs: CostsNs,
  pageSize: "4k" | "2m",
  to: "private" | "shared",
): { op: PageOp; pages: number } {
  const leadNs = to === "private" ? costs.fault4k : 0;
  if (pageSize === "4k") {
    return { op: { kind: "kernel", request: requestOf(host.kernel, to), leadNs }, pages: 1 };
  }
  const wholeNs = costs.fault2m + costs.rmpupdate + costs.pvalidate2m;
  // A 2 MiB entry of the RMP asks nothing of a large direct map (adjust_direct_map, v6.9).
  if (host.kernel === "6.9+") {
    const op = { kind: "plain", leadNs: wholeNs, lock: undefined, holdNs: 0, tailNs: 0 } as const;
    return { op, pages: 512 };
  }
  // v5–v10 unmapped all 512 pages one by one, whatever the size of the entry.
  const request = to === "private" ? "invalid" : "default";
  return { op: { kind: "kernel", request, leadNs: Math.round(wholeNs / 512) }, pages: 1 };
}

/** One exit carries entries of 2 MiB each; the MSR protocol (1 entry) one page. */
function exits(costs: CostsNs, entries: number, pagesPerOp: number) {
  const pages = entries === 1 ? pagesPerOp : entries * 512;
  return {
    batch: Math.max(1, pages / pagesPerOp),
    batchNs: costs.vmgexit + costs.userExit + costs.attributes4k * pages,
    asks: true,
  };
}

function pagesPhase(name: string, ops: readonly number[], count: number): PagesPhase {
  return {
    kind: "pages",
    name,
    ops,
    count,
    passes: 1,
    pagesPerOp: 1,
    firstPage: 0,
    batch: count,
    batchNs: 0,
    asks: false,
    pspNs: 0,
    split: false,
  };
}

function requestOf(kernel: "2022" | "6.9+", to: "private" | "shared"): string {
  return kernel === "2022" ? `${to}-2022` : `${to}-6.9`;
}

/** 512 pages each, given away and taken back for ever. */
function threadsOf({ host, background }: Scenario, ops: Operations): BackgroundTask[] {
  const leadNs = Math.round(background.rmpupdateThinkUs * 1000);
  const loop = (["private", "shared"] as const).map((to) =>
    ops.number({ kind: "kernel", request: requestOf(host.kernel, to), leadNs }),
  );
  return Array.from({ length: background.rmpupdateThreads }, (_, i) => ({
    name: `rmpupdate-${i}`,
    vm: -1,
    tenant: -1,
    startNs: 0,
    pages: 512,
    phases: [{ ...pagesPhase("rmpupdate", loop, 512), passes: Number.POSITIVE_INFINITY }],
  }));
}

function abusersOf(
  scenario: Scenario,
  { costs }: Resolved,
  ops: Operations,
  vms: number,
): BackgroundTask[] {
  const { count, vcpus, tenant, pscEntries, pageSize, memoryMiB } = scenario.background.abusers;
  if (count === 0) return [];
  const there = acceptOp(scenario, costs, pageSize, "private");
  const back = acceptOp(scenario, costs, pageSize, "shared");
  const pages = Math.max(there.pages, Math.floor((memoryMiB * PAGES_PER_MIB) / vcpus));
  const phase = {
    ...pagesPhase("flip", [ops.number(there.op), ops.number(back.op)], pages / there.pages),
    ...exits(costs, pscEntries, there.pages),
    count: Math.max(1, Math.floor(pages / there.pages)),
    pagesPerOp: there.pages,
    passes: Number.POSITIVE_INFINITY,
  };
  return Array.from({ length: count * vcpus }, (_, i) => ({
    name: `abuser-${Math.floor(i / vcpus)}`,
    vm: vms + Math.floor(i / vcpus),
    tenant,
    startNs: 0,
    pages,
    phases: [phase],
  }));
}

function burner(i: number, { cpuBurnerWeight }: Scenario["background"]): BackgroundTask {
  return {
    name: `burner-${i}`,
    vm: -1,
    tenant: -1,
    startNs: 0,
    pages: 0,
    weight: cpuBurnerWeight,
    phases: [{ kind: "work", name: "burn", ns: 2 ** 50 }],
  };
}
