// Watches running guests, and slows those that burn more kernel time than their quota.

import type { Permit, PermitEvent } from "../../../core/govern/permit.ts";
import { nextRunShare, RUN_FREELY } from "../../../core/govern/quota.ts";
import type { GovernConfig } from "../../../core/scenario/govern-config.ts";
import { readHierarchies } from "../../../host/cgroup/hierarchy.ts";
import { groupsMatching } from "../../../host/cgroup/match.ts";
import type { CpuUsage } from "../../../host/cgroup/usage.ts";
import { type Brake, type Means, openBrake } from "./brake.ts";
import { groupSubject, guestSubject, isInside, type Subject } from "./subject.ts";

/** As QEMU's dirty limit: short enough to meet an offender soon, long enough for clock ticks of 10 ms. */
const ROUND_NS = 1e9;

/**
 * A look takes some 100 µs, most of it for the threads of the tree: so 2 ms at most in a turn of the
 * event loop, and 200 subjects have a round each second. With more, rounds are longer.
 */
const TURN_MS = 50;
const LOOKS_MAX = 10;

/** Who cannot be slowed is tried again after so many rounds; whose group was exchanged, in the next. */
const RETRY_ROUNDS = 30;

/** More running guests than that are not watched. */
const WATCHED_MAX = 10_000;
const LISTED_MAX = 1000;

/** One subject, as it is shown. */
export interface QuotaRow {
  readonly kind: Subject["kind"];
  readonly name: string;
  /** CPUs in kernel mode, and all, in the last round; absent before the first has passed. */
  readonly systemCpus?: number;
  readonly cpus?: number;
  /** Share of the time that it may run; in a dry run: might. */
  readonly runShare: number;
  /** Absent while nothing slows it. */
  readonly means?: Means;
  /** Why it cannot be slowed. */
  readonly problem?: string;
}

interface Watched {
  readonly subject: Subject;
  readonly pid?: number;
  /** Of the last look; absent before the first. */
  usage?: CpuUsage;
  atNs: number;
  systemCpus?: number;
  cpus?: number;
  cpusMax: number;
  runShare: number;
  brake?: Brake;
  problem?: string;
  retryIn: number;
}

export interface QuotaOptions {
  readonly settings: () => GovernConfig["quota"];
  readonly nowNs: () => number;
  /** One is slowed otherwise than before, or in a dry run would be. */
  readonly changed: (row: QuotaRow) => void;
}

export class Quota {
  readonly #options: QuotaOptions;
  readonly #all = readHierarchies();
  /** In the order of their last look. */
  readonly #watched = new Map<string, Watched>();
  #groups: ReadonlySet<string> = new Set();
  #groupsAtNs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: QuotaOptions) {
    this.#options = options;
  }

  /** A permit as it has become: a VM that has booted is a running guest until its holder ends. */
  note(permit: Permit | undefined, event?: PermitEvent): void {
    const holder = permit?.ask.holder;
    if (permit === undefined || holder === undefined || permit.how !== "released") return;
    if (event?.kind === "ended" && event.outcome?.failed === true) return;
    this.#watch(guestSubject(permit.ask.vm, holder, this.#all), holder.pid);
  }

  /** The settings are others: who is slowed is let go, and the next rounds say anew. */
  reload(): void {
    this.close();
    for (const each of this.#watched.values()) delete each.usage;
    this.#groupsAtNs = Number.NEGATIVE_INFINITY;
    // Without a quota nothing wakes up.
    if (this.#options.settings().systemCpus === undefined) return;
    this.#timer = setInterval(() => this.#turn(), TURN_MS);
  }

  rows(): readonly QuotaRow[] {
    return [...this.#watched.values()].slice(0, LISTED_MAX).map(rowOf);
  }

  /** As OpenMetrics: how many there are, and each that is slowed. */
  metrics(): readonly string[] {
    const rows = this.rows();
    const slowed = rows.filter(({ runShare }) => runShare < RUN_FREELY);
    const gauge = (name: string, help: string, samples: readonly string[]) => [
      `# TYPE bootstorm_quota_${name} gauge`,
      `# HELP bootstorm_quota_${name} ${help}`,
      ...samples.map((sample) => `bootstorm_quota_${name}${sample}`),
    ];
    const each = (value: (row: QuotaRow) => number) =>
      slowed.map((row) => `{kind="${row.kind}",name="${escaped(row.name)}"} ${value(row)}`);
    return [
      ...gauge("watched", "Running guests and groups with a quota.", [` ${this.#watched.size}`]),
      ...gauge(
        "run_share",
        "Share of the time that those above their quota may run; in a dry run: might.",
        each(({ runShare }) => runShare),
      ),
      ...gauge(
        "system_cpus",
        "CPU time in kernel mode per time, of those above their quota.",
        each(({ systemCpus = 0 }) => systemCpus),
      ),
    ];
  }

  /** What `/v1/state` says of quotas. */
  state(): unknown {
    const rows = this.rows();
    return { ...this.#options.settings(), watched: rows, more: this.#watched.size - rows.length };
  }

  close(): void {
    clearInterval(this.#timer);
    for (const each of this.#watched.values()) this.#free(each);
  }

  /** Whether it runs at all is found when its turn comes. */
  #watch(subject: Subject, pid?: number): void {
    if (this.#watched.has(subject.key) || this.#watched.size >= WATCHED_MAX) return;
    this.#watched.set(subject.key, {
      subject,
      ...(pid === undefined ? {} : { pid }),
      atNs: Number.NEGATIVE_INFINITY,
      cpusMax: 0,
      runShare: RUN_FREELY,
      retryIn: 0,
    });
  }

  #turn(): void {
    const { systemCpus } = this.#options.settings();
    if (systemCpus === undefined) return;
    const nowNs = this.#options.nowNs();
    this.#findGroups(nowNs);
    for (const [key, each] of [...this.#watched].slice(0, LOOKS_MAX)) {
      if (nowNs - each.atNs < ROUND_NS) return;
      // To the end of the line.
      this.#watched.delete(key);
      if (this.#look(each, systemCpus, nowNs)) this.#watched.set(key, each);
      else this.#free(each);
    }
  }

  #findGroups(nowNs: number): void {
    if (nowNs - this.#groupsAtNs < ROUND_NS) return;
    this.#groupsAtNs = nowNs;
    const { groups } = this.#options.settings();
    this.#groups = new Set(groups.flatMap((pattern) => groupsMatching(pattern, this.#all)));
    for (const path of this.#groups) this.#watch(groupSubject(path, this.#all));
  }

  /** @returns whether it goes on being watched */
  #look(each: Watched, quota: number, nowNs: number): boolean {
    const { subject, pid, usage: before, atNs } = each;
    if (subject.kind === "group" && !this.#groups.has(subject.name)) return false;
    const usage = subject.usage();
    if (usage === undefined) return false;
    Object.assign(each, { atNs: nowNs, usage });
    if (before === undefined) return true;
    // The time of a process that another one has waited for may be lost: never less than none.
    const systemCpus = Math.max(0, usage.systemNs - before.systemNs) / (nowNs - atNs);
    const cpus = systemCpus + Math.max(0, usage.userNs - before.userNs) / (nowNs - atNs);
    Object.assign(each, { systemCpus, cpus, cpusMax: Math.max(each.cpusMax, cpus) });
    if (pid !== undefined && isInside(pid, this.#groups, this.#all)) this.#free(each);
    else this.#steer(each, systemCpus, quota);
    return true;
  }

  #steer(each: Watched, systemCpus: number, quota: number): void {
    const { mode, runShareMin } = this.#options.settings();
    // In a dry run: what it would have done, had it been slowed.
    const rate = systemCpus * (each.brake === undefined ? each.runShare : 1);
    const runShare = nextRunShare(each.runShare, rate, { quota, runShareMin });
    const isNew = runShare !== each.runShare;
    each.runShare = runShare;
    if (runShare === RUN_FREELY) this.#free(each);
    else if (mode === "enforce") this.#slow(each);
    if (isNew) this.#options.changed(rowOf(each));
  }

  #slow(each: Watched): void {
    if (each.brake === undefined) {
      each.retryIn -= 1;
      if (each.retryIn >= 0) return;
      const letGo = (why: string) => this.#lose(each, why, 0);
      const brake = openBrake(each.subject, this.#options.settings().means, letGo);
      if ("why" in brake) {
        this.#lose(each, brake.why, RETRY_ROUNDS);
        return;
      }
      each.brake = brake;
      delete each.problem;
    }
    each.brake.set(each.runShare, each.cpusMax);
  }

  #lose(each: Watched, problem: string, retryIn: number): void {
    delete each.brake;
    Object.assign(each, { problem, retryIn });
  }

  #free(each: Watched): void {
    each.brake?.release();
    delete each.brake;
    delete each.problem;
    each.retryIn = 0;
    each.runShare = RUN_FREELY;
  }
}

function rowOf({ subject, systemCpus, cpus, runShare, brake, problem }: Watched): QuotaRow {
  return {
    kind: subject.kind,
    name: subject.name,
    ...(systemCpus === undefined ? {} : { systemCpus: rounded(systemCpus) }),
    ...(cpus === undefined ? {} : { cpus: rounded(cpus) }),
    runShare: rounded(runShare),
    ...(brake === undefined ? {} : { means: brake.means }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** For a label of OpenMetrics. */
function escaped(text: string): string {
  return text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
}
