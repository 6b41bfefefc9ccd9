import { ENDS_OF_PERMITS, type EndOfPermit, type LedgerGauges } from "../../core/govern/permit.ts";
import type { Signal, SignalStates } from "./signals.ts";

/** Upper ends of the classes of a histogram, seconds. */
const DECISION_S = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1];
const WAIT_S = [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600];

/** Counted since the daemon started. */
export class Metrics {
  asked = 0;
  granted = 0;
  readonly ended: Record<EndOfPermit, number> = {
    released: 0,
    expired: 0,
    "gave-up": 0,
    "launcher-died": 0,
  };
  /** Requests that were answered with an error, by its code. */
  readonly refused = new Map<string, number>();
  /** From the request that led to a grant until the answer leaves. */
  readonly decision = new Histogram(DECISION_S);
  readonly wait = new Histogram(WAIT_S);

  refuse(code: string): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}

class Histogram {
  readonly #ends: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(ends: readonly number[]) {
    this.#ends = ends;
    this.#counts = ends.map(() => 0);
  }

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count += 1;
    const at = this.#ends.findIndex((end) => seconds <= end);
    if (at !== -1) this.#counts[at]! += 1;
  }

  lines(name: string): string[] {
    let below = 0;
    const buckets = this.#ends.map((end, i) => {
      below += this.#counts[i]!;
      return `${name}_bucket{le="${end}"} ${below}`;
    });
    return [
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ];
  }
}

/** What is only known when somebody asks. */
export interface Readings {
  readonly version: string;
  readonly gauges: LedgerGauges;
  readonly journalBytes: number;
  readonly journalWorks: boolean;
  readonly heldSeconds: number;
  readonly eventClients: number;
  readonly signals: SignalStates;
  readonly weightRaised: number;
  readonly quota: readonly string[];
}

/** All metrics as OpenMetrics text, version 1.0.0. */
export function openMetrics(metrics: Metrics, now: Readings): string {
  const { gauges, signals } = now;
  const one = (name: string, type: "gauge" | "info", help: string, samples: readonly string[]) => [
    `# TYPE bootstorm_${name} ${type}`,
    `# HELP bootstorm_${name} ${help}`,
    ...samples.map((sample) => `bootstorm_${name}${sample}`),
  ];
  const gauge = (name: string, help: string, value: number | undefined) =>
    value === undefined ? [] : one(name, "gauge", help, [` ${value}`]);
  const counter = (name: string, help: string, samples: readonly string[]) => [
    `# TYPE bootstorm_${name} counter`,
    `# HELP bootstorm_${name} ${help}`,
    ...samples.map((sample) => `bootstorm_${name}_total${sample}`),
  ];
  const histogram = (name: string, help: string, values: Histogram) => [
    `# TYPE bootstorm_${name} histogram`,
    `# UNIT bootstorm_${name} seconds`,
    `# HELP bootstorm_${name} ${help}`,
    ...values.lines(`bootstorm_${name}`),
  ];
  const ends = ENDS_OF_PERMITS.map((how) => `{how="${how}"} ${metrics.ended[how]}`);
  const refused = [...metrics.refused].map(([code, count]) => `{code="${code}"} ${count}`);
  const policy = Object.entries(gauges.policy).map(([name, value]) => `{name="${name}"} ${value}`);
  return [
    ...one("build", "info", "The running version.", [`_info{version="${now.version}"} 1`]),
    ...counter("permits_asked", "Permits asked for.", [` ${metrics.asked}`]),
    ...counter("permits_granted", "Permits granted.", [` ${metrics.granted}`]),
    ...counter("permits_ended", "Permits ended, by how.", ends),
    ...counter("requests_refused", "Requests answered with an error, by code.", refused),
    ...gauge("permits_waiting", "Launchers that wait.", gauges.waiting),
    ...gauge("permits_in_force", "Boots in service.", gauges.inForce),
    ...gauge("cap", "Boots that may be in service: the lowest of all policies.", gauges.cap),
    ...one("policy", "gauge", "What the policies say of themselves.", policy),
    ...histogram("wait_seconds", "From request to grant.", metrics.wait),
    ...histogram(
      "decision_seconds",
      "From what made a grant possible to its answer.",
      metrics.decision,
    ),
    ...gauge("journal_bytes", "Size of the journal.", now.journalBytes),
    ...gauge("journal_works", "0 while the journal cannot be written.", now.journalWorks ? 1 : 0),
    ...gauge("held_seconds", "How long nothing will be granted.", now.heldSeconds),
    ...gauge("event_clients", "Listeners at /v1/events.", now.eventClients),
    ...gauge(
      "host_cpu_idle",
      "Share of the host's CPU time that nobody used.",
      shareOf(signals.hostCpu, "idleShare"),
    ),
    ...gauge(
      "host_cpu_boots",
      "Share of the host's CPU time that boots in service used.",
      shareOf(signals.hostCpu, "bootShare"),
    ),
    ...gauge(
      "lock_wait",
      "Share of the time of boots in service spent waiting for kernel locks.",
      shareOf(signals.lockWait, "share"),
    ),
    ...gauge(
      "cpu_pressure",
      "Share of time in which tasks wait for a CPU.",
      shareOf(signals.cpuPressure, "share"),
    ),
    ...gauge("weight_raised", "Process trees with the weight of boots.", now.weightRaised),
    ...now.quota,
    "# EOF",
    "",
  ].join("\n");
}

/** @returns undefined for what is not measured, and then there is no line of it */
function shareOf(signal: Signal, name: string): number | undefined {
  return "values" in signal ? signal.values[name] : undefined;
}
