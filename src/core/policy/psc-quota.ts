import { assert } from "../assert.ts";
import { type Flow, firstStaying, nextTurn, type Turns, takeTurn } from "./drr.ts";
import { createFifo, type Fifo } from "./fifo.ts";
import {
  type Bucket,
  charge,
  createBucket,
  drain,
  dueNs,
  PAGES_PER_SECOND_MAX,
  PAGES_PER_SECOND_MIN,
  type Rate,
  rateOf,
} from "./gcra.ts";
import { INERT } from "./inert.ts";
import type { Filled, OptionProblem } from "./option.ts";
import {
  ADMIT,
  type Ask,
  type Decision,
  type Grant,
  NEVER,
  PAGES_PER_ASK_MAX,
  type Policy,
  type Reason,
} from "./policy.ts";
import { PSC_DELAY_FIELD } from "./psc-rate.ts";
import { ownState, STATE_VERSION } from "./state.ts";

const NO_QUOTA = 0;

const quotaField = (title: string) =>
  ({
    type: "integer",
    min: NO_QUOTA,
    max: PAGES_PER_SECOND_MAX,
    default: NO_QUOTA,
    title: `${title}; 0: none`,
  }) as const;

const WEIGHT_FIELD = {
  type: "integer",
  min: 1,
  max: 1000,
  default: 1,
  title: "turns of a weight of 2 are twice as large",
} as const;

export const PSC_QUOTA_FIELDS = {
  pagesPerSecond: {
    type: "integer",
    min: PAGES_PER_SECOND_MIN,
    max: PAGES_PER_SECOND_MAX,
    // 1 / 3.7 µs: the serial work of a page in the storm of SEVeriFast, a host of 2022.
    default: 270_000,
    title: "4 KiB pages per second that the host converts for all",
  },
  burstPages: {
    type: "integer",
    min: 1,
    max: PAGES_PER_ASK_MAX,
    default: 16_384,
    title: "pages that may go at once after a pause of the host",
  },
  tenantPagesPerSecond: quotaField("quota of each tenant, in pages per second"),
  vmPagesPerSecond: quotaField("quota of each VM, in pages per second"),
  quotaBurstPages: {
    type: "integer",
    min: 1,
    max: PAGES_PER_ASK_MAX,
    default: 16_384,
    title: "pages a tenant or VM may save up of its quota",
  },
  borrow: {
    type: "yes-no",
    default: true,
    title: "those over their quota may take what the others leave",
  },
  quantumPages: {
    type: "integer",
    min: 64,
    max: PAGES_PER_ASK_MAX,
    default: 512,
    title: "pages that a turn of weight 1 adds",
  },
  tenants: {
    type: "rows",
    fields: {
      tenant: { type: "integer", min: 0, max: 1e6, default: 0, title: "index of the tenant" },
      weight: WEIGHT_FIELD,
      pagesPerSecond: quotaField("its quota, in place of tenantPagesPerSecond"),
    },
    rowsMax: 1000,
    title: "tenants that differ from the others",
  },
  pscDelayMaxMs: PSC_DELAY_FIELD,
} as const;

interface Tenant extends Flow {
  readonly key: number;
  readonly rate: Rate | undefined;
  readonly bucket: Bucket;
  readonly vms: Map<number, Vm>;
  /** Of its VMs. */
  readonly turns: Turns<Vm>;
  /** Whose turn it is among its VMs; undefined: to be found anew. */
  head: Waiting | undefined;
}

interface Vm extends Flow {
  readonly key: number;
  readonly tenant: Tenant;
  readonly bucket: Bucket;
  readonly line: Fifo<Waiting>;
  /** Those in `line` that have not left. */
  staying: number;
  headSinceNs: number;
}

interface Waiting {
  readonly id: number;
  readonly pages: number;
  readonly vm: Vm;
  gone: boolean;
}

type SavedVm = {
  readonly key: number;
  readonly deficit: number;
  readonly round: number;
  readonly bucket: { readonly tatNs: number; readonly tatFrac: number };
  readonly headSinceNs: number;
  readonly line: readonly { readonly id: number; readonly pages: number }[];
};

type State = {
  readonly host: { readonly tatNs: number; readonly tatFrac: number };
  readonly tenants: readonly {
    readonly key: number;
    readonly deficit: number;
    readonly round: number;
    readonly bucket: { readonly tatNs: number; readonly tatFrac: number };
    readonly vms: readonly SavedVm[];
    readonly turns: SavedTurns;
  }[];
  readonly turns: SavedTurns;
};

/** Those that wait, by key. */
type SavedTurns = { readonly waiting: readonly number[]; readonly round: number };

/** A quota is none at all, or one that is exact. */
export function quotaContradictions(
  options: Filled<typeof PSC_QUOTA_FIELDS>,
): readonly OptionProblem[] {
  const check = (path: OptionProblem["path"], quota: number) =>
    quota === NO_QUOTA || quota >= PAGES_PER_SECOND_MIN
      ? []
      : [{ path, problem: `${quota} is too few, at least ${PAGES_PER_SECOND_MIN}, or 0 for none` }];
  return [
    ...check(["tenantPagesPerSecond"], options.tenantPagesPerSecond),
    ...check(["vmPagesPerSecond"], options.vmPagesPerSecond),
    ...options.tenants.flatMap((row, i) =>
      check(["tenants", i, "pagesPerSecond"], row.pagesPerSecond),
    ),
  ];
}

/**
 * Quotas host → tenant → VM. The host converts at its rate and no faster. Tenants take turns, in
 * proportion to their weights, and within a tenant its VMs do: first those within their quota,
 * then, where borrowing is allowed, the others. What is borrowed is not charged to the borrower's
 * quota. With borrowing the host is never idle while an exit waits.
 */
export function createPscQuota(options: Filled<typeof PSC_QUOTA_FIELDS>): Policy {
  const hostRate = rateOf(options.pagesPerSecond, options.burstPages);
  const vmRate = quotaOf(options.vmPagesPerSecond);
  const special = new Map(options.tenants.map((row) => [row.tenant, row]));
  const host = createBucket();
  const tenants = new Map<number, Tenant>();
  const turns: Turns<Tenant> = { waiting: [], round: 0 };
  const waiting = new Map<number, Waiting>();
  /** Not later than the next grant; found anew by each `ready` that grants nothing. */
  let nextNs = NEVER;
  let vmsBeforeSweep = 1024;
  let vmCount = 0;

  function quotaOf(pagesPerSecond: number): Rate | undefined {
    return pagesPerSecond === NO_QUOTA
      ? undefined
      : rateOf(pagesPerSecond, options.quotaBurstPages);
  }

  function decide(ask: Ask, nowNs: number): Decision {
    if (ask.kind !== "psc") return ADMIT;
    assert(ask.pages >= 1 && ask.pages <= PAGES_PER_ASK_MAX, "a PSC has 1..2^23 pages");
    assert(!waiting.has(ask.id), "an ask is decided once");
    const vm = vmOf(ask, nowNs);
    if (waiting.size === 0 && mayGoAlone(vm, ask.pages, nowNs)) {
      take(vm, ask.pages, nowNs, nowNs);
      return ADMIT;
    }
    const entry = join(vm, ask.id, ask.pages, nowNs);
    const next = nextGrant(nowNs);
    if (next === entry) {
      grant(entry, nowNs);
      return ADMIT;
    }
    if (next !== undefined) nextNs = nowNs; // Another may go too: it comes out of `ready`.
    return {
      kind: "delay",
      untilNs: Math.max(nowNs, dueNs(hostRate, host, nowNs, ask.pages)),
      reason: reasonOf(vm, ask.pages, nowNs),
    };
  }

  /** Nobody waits: no turns need to be taken. */
  function mayGoAlone(vm: Vm, pages: number, nowNs: number): boolean {
    if (dueNs(hostRate, host, nowNs, pages) > nowNs) return false;
    return options.borrow || quotaDueNs(vm, pages, nowNs) <= nowNs;
  }

  function ready(nowNs: number): Grant | undefined {
    if (nextNs > nowNs) return undefined;
    const entry = nextGrant(nowNs);
    if (entry === undefined) return undefined;
    grant(entry, nowNs);
    return { id: entry.id, forced: false };
  }

  /** Whose turn it is, when the host has the pages for it now; else notes when to look again. */
  function nextGrant(nowNs: number): Waiting | undefined {
    const entry = whoseTurn(nowNs);
    if (entry === undefined) {
      nextNs = firstWithin(nowNs);
      return undefined;
    }
    const hostNs = dueNs(hostRate, host, entry.vm.headSinceNs, entry.pages);
    if (hostNs <= nowNs) return entry;
    nextNs = Math.min(hostNs, firstWithin(nowNs));
    return undefined;
  }

  function whoseTurn(nowNs: number): Waiting | undefined {
    const within = (tenant: Tenant) => {
      const head = headOf(tenant, nowNs);
      return head !== undefined && tenantDueNs(tenant, head.pages, head.vm.headSinceNs) <= nowNs
        ? head.pages
        : 0;
    };
    const any = (tenant: Tenant) => headOf(tenant, nowNs)?.pages ?? 0;
    const tenant = nextTurn(turns, within) ?? (options.borrow ? nextTurn(turns, any) : undefined);
    return tenant && headOf(tenant, nowNs);
  }

  function headOf(tenant: Tenant, nowNs: number): Waiting | undefined {
    // Quotas of VMs depend on the time; without them a turn is found once for each change.
    if (tenant.head !== undefined && vmRate === undefined) return tenant.head;
    const within = (vm: Vm) => {
      const { pages } = vm.line.peek()!;
      return vmDueNs(vm, pages, vm.headSinceNs) <= nowNs ? pages : 0;
    };
    const any = (vm: Vm) => vm.line.peek()!.pages;
    const vm =
      nextTurn(tenant.turns, within) ?? (options.borrow ? nextTurn(tenant.turns, any) : undefined);
    tenant.head = vm?.line.peek();
    return tenant.head;
  }

  /** When the next of those over their quota is within it: turns are taken anew then. */
  function firstWithin(nowNs: number): number {
    let firstNs = NEVER;
    const consider = (ns: number) => {
      if (ns > nowNs && ns < firstNs) firstNs = ns;
    };
    for (const tenant of turns.waiting) {
      if (tenant.rate === undefined && vmRate === undefined) continue;
      for (const vm of tenant.turns.waiting) {
        const { pages } = vm.line.peek()!;
        consider(vmDueNs(vm, pages, vm.headSinceNs));
        consider(tenantDueNs(tenant, pages, vm.headSinceNs));
      }
    }
    return firstNs;
  }

  function vmDueNs(vm: Vm, pages: number, sinceNs: number): number {
    return vmRate === undefined ? sinceNs : dueNs(vmRate, vm.bucket, sinceNs, pages);
  }

  function tenantDueNs({ rate, bucket }: Tenant, pages: number, sinceNs: number): number {
    return rate === undefined ? sinceNs : dueNs(rate, bucket, sinceNs, pages);
  }

  function quotaDueNs(vm: Vm, pages: number, sinceNs: number): number {
    return Math.max(vmDueNs(vm, pages, sinceNs), tenantDueNs(vm.tenant, pages, sinceNs));
  }

  function grant(entry: Waiting, nowNs: number): void {
    const { vm, pages } = entry;
    take(vm, pages, vm.headSinceNs, nowNs);
    takeTurn(vm.tenant.turns, vm, pages);
    takeTurn(turns, vm.tenant, pages);
    remove(entry, nowNs);
    nextNs = nowNs;
  }

  function take(vm: Vm, pages: number, sinceNs: number, nowNs: number): void {
    const { tenant } = vm;
    charge(hostRate, host, sinceNs, pages, nowNs);
    if (vmRate !== undefined && vmDueNs(vm, pages, sinceNs) <= nowNs) {
      charge(vmRate, vm.bucket, sinceNs, pages, nowNs);
    }
    if (tenant.rate !== undefined && tenantDueNs(tenant, pages, sinceNs) <= nowNs) {
      charge(tenant.rate, tenant.bucket, sinceNs, pages, nowNs);
    }
  }

  function leave(id: number, how: "gave-up" | "went-ahead", nowNs: number): void {
    const entry = waiting.get(id);
    if (entry === undefined) return;
    const { vm, pages } = entry;
    if (how === "went-ahead") {
      drain(hostRate, host, pages, nowNs);
      if (vmRate !== undefined) drain(vmRate, vm.bucket, pages, nowNs);
      if (vm.tenant.rate !== undefined) drain(vm.tenant.rate, vm.tenant.bucket, pages, nowNs);
    }
    remove(entry, nowNs);
    nextNs = nowNs;
  }

  function join(vm: Vm, id: number, pages: number, nowNs: number): Waiting {
    const { tenant } = vm;
    tenant.head = undefined;
    const entry: Waiting = { id, pages, vm, gone: false };
    vm.line.push(entry);
    vm.staying += 1;
    waiting.set(id, entry);
    if (vm.staying > 1) return entry;
    vm.headSinceNs = nowNs;
    tenant.turns.waiting.push(vm);
    if (tenant.turns.waiting.length === 1) turns.waiting.push(tenant);
    return entry;
  }

  function remove(entry: Waiting, nowNs: number): void {
    const { vm } = entry;
    const wasFirst = vm.line.peek() === entry;
    vm.tenant.head = undefined;
    entry.gone = true;
    vm.staying -= 1;
    waiting.delete(entry.id);
    firstStaying(vm.line);
    if (wasFirst) vm.headSinceNs = nowNs;
    if (vm.staying > 0) return;
    const { tenant } = vm;
    drop(tenant.turns.waiting, vm);
    if (tenant.turns.waiting.length === 0) drop(turns.waiting, tenant);
  }

  function drop<F extends Flow>(waiting: F[], flow: F): void {
    waiting.splice(waiting.indexOf(flow), 1);
  }

  function vmOf(ask: Ask, nowNs: number): Vm {
    const tenant = tenants.get(ask.tenant) ?? openTenant(ask.tenant);
    return tenant.vms.get(ask.vm) ?? openVm(tenant, ask.vm, nowNs);
  }

  function openTenant(key: number): Tenant {
    const row = special.get(key);
    const own = row?.pagesPerSecond ?? NO_QUOTA;
    const tenant: Tenant = {
      key,
      quantum: options.quantumPages * (row?.weight ?? 1),
      rate: quotaOf(own === NO_QUOTA ? options.tenantPagesPerSecond : own),
      bucket: createBucket(),
      vms: new Map(),
      turns: { waiting: [], round: 0 },
      head: undefined,
      deficit: 0,
      round: -1,
    };
    tenants.set(key, tenant);
    return tenant;
  }

  function openVm(tenant: Tenant, key: number, nowNs: number): Vm {
    if (vmCount >= vmsBeforeSweep) sweep(nowNs);
    const vm: Vm = {
      key,
      tenant,
      quantum: options.quantumPages,
      bucket: createBucket(),
      line: createFifo(),
      staying: 0,
      headSinceNs: 0,
      deficit: 0,
      round: -1,
    };
    tenant.vms.set(key, vm);
    vmCount += 1;
    return vm;
  }

  /** A VM that wants nothing, has a full bucket and has missed a round is as good as none. */
  function sweep(nowNs: number): void {
    vmCount = 0;
    for (const tenant of tenants.values()) {
      for (const [key, vm] of tenant.vms) {
        const isFresh = vm.bucket.tatNs < nowNs && vm.round < tenant.turns.round;
        if (vm.staying === 0 && isFresh) tenant.vms.delete(key);
      }
      vmCount += tenant.vms.size;
    }
    vmsBeforeSweep = Math.max(1024, vmCount * 2);
  }

  function reasonOf(vm: Vm, pages: number, nowNs: number): Reason {
    if (!options.borrow && vmRate !== undefined && vmDueNs(vm, pages, nowNs) > nowNs) {
      return { rule: "rate", scope: "vm", pagesPerSecond: vmRate.pagesPerSecond };
    }
    const { tenant } = vm;
    if (!options.borrow && tenant.rate !== undefined && tenantDueNs(tenant, pages, nowNs) > nowNs) {
      return { rule: "rate", scope: "tenant", pagesPerSecond: tenant.rate.pagesPerSecond };
    }
    const ahead = waiting.size - 1;
    return ahead > 0
      ? { rule: "turn", scope: "host", ahead }
      : { rule: "rate", scope: "host", pagesPerSecond: hostRate.pagesPerSecond };
  }

  function snapshot() {
    return {
      policy: "psc-quota",
      version: STATE_VERSION,
      host: { ...host },
      tenants: [...tenants.values()].map((tenant) => ({
        key: tenant.key,
        deficit: tenant.deficit,
        round: tenant.round,
        bucket: { ...tenant.bucket },
        vms: [...tenant.vms.values()].map(savedVm),
        turns: savedTurns(tenant.turns),
      })),
      turns: savedTurns(turns),
    };
  }

  function restore(saved: State): void {
    Object.assign(host, saved.host);
    for (const each of saved.tenants) {
      const tenant = openTenant(each.key);
      tenant.deficit = each.deficit;
      tenant.round = each.round;
      Object.assign(tenant.bucket, each.bucket);
      for (const vm of each.vms) restoreVm(tenant, vm);
      restoreTurns(tenant.turns, each.turns, tenant.vms);
    }
    restoreTurns(turns, saved.turns, tenants);
    nextNs = waiting.size > 0 ? 0 : NEVER;
  }

  function restoreVm(tenant: Tenant, saved: SavedVm): void {
    const vm = openVm(tenant, saved.key, 0);
    vm.deficit = saved.deficit;
    vm.round = saved.round;
    vm.headSinceNs = saved.headSinceNs;
    Object.assign(vm.bucket, saved.bucket);
    for (const { id, pages } of saved.line) {
      const entry: Waiting = { id, pages, vm, gone: false };
      vm.line.push(entry);
      vm.staying += 1;
      waiting.set(id, entry);
    }
  }

  return {
    ...INERT,
    name: "psc-quota",
    decide,
    ready,
    wakeNs: () => (waiting.size > 0 ? nextNs : NEVER),
    leave,
    gauges: () => ({ waiting: waiting.size }),
    snapshot,
    restore: (state) => restore(ownState<State>("psc-quota", state)),
  };
}

function savedVm(vm: Vm): SavedVm {
  return {
    key: vm.key,
    deficit: vm.deficit,
    round: vm.round,
    bucket: { ...vm.bucket },
    headSinceNs: vm.headSinceNs,
    line: vm.line
      .items()
      .filter((entry) => !entry.gone)
      .map(({ id, pages }) => ({ id, pages })),
  };
}

function savedTurns(turns: Turns<Tenant> | Turns<Vm>): SavedTurns {
  return { waiting: turns.waiting.map((flow) => flow.key), round: turns.round };
}

function restoreTurns<F extends Flow>(
  turns: Turns<F>,
  saved: SavedTurns,
  flows: ReadonlyMap<number, F>,
): void {
  turns.waiting.push(...saved.waiting.map((key) => flows.get(key)!));
  turns.round = saved.round;
}
