import type { ServerResponse } from "node:http";
import type { BootstormError } from "../../core/error.ts";
import { explainPermit } from "../../core/govern/explain.ts";
import type { Ledger } from "../../core/govern/ledger.ts";
import type { Permit, PermitEvent } from "../../core/govern/permit.ts";
import type { GateTime } from "../../core/policy/gate.ts";
import type { GovernConfig } from "../../core/scenario/govern-config.ts";
import {
  type PermitRequest,
  permitRequest,
  type RequestSchema,
  readRequest,
  releaseRequest,
  renewRequest,
} from "../../core/scenario/govern-request.ts";
import type { BootWeight } from "./boot-weight.ts";
import type { Causes } from "./causes.ts";
import type { Change, CommitLog } from "./commit-log.ts";
import { EventStream } from "./event-stream.ts";
import { holderRuns } from "./holders.ts";
import { type Refusal, type Request, refusalOf, refuse, reply, replyText } from "./http.ts";
import type { Journal } from "./journal.ts";
import { Metrics, openMetrics } from "./metrics.ts";
import { PermitJson } from "./permit-json.ts";
import type { Quota } from "./quota/quota.ts";
import type { Signals } from "./signals.ts";

/** Permits in one answer of the list; the rest is counted. */
const LIST_MAX = 1000;

export interface ApiOptions {
  readonly ledger: Ledger;
  readonly log: CommitLog;
  readonly journal: Journal;
  readonly time: GateTime;
  readonly causes: Causes;
  readonly signals: Signals;
  readonly weight: BootWeight;
  readonly quota: Quota;
  readonly version: string;
  readonly config: () => GovernConfig;
  /** @returns fields that were changed and wait for a restart */
  readonly reload: () => Promise<readonly string[]>;
}

/** What clients can ask for, and what they are told. */
export class Api {
  readonly metrics = new Metrics();
  readonly #events = new EventStream();
  readonly #options: ApiOptions;
  readonly #json: PermitJson;
  /** Who listens for a waiting permit. */
  readonly #waiters = new Map<number, Set<ServerResponse>>();
  #isEnding = false;

  constructor(options: ApiOptions) {
    this.#options = options;
    const { journal, ledger, time } = options;
    this.#json = new PermitJson(journal.epoch, ledger, time.nowNs);
  }

  readonly answer = (request: Request, response: ServerResponse): void => {
    try {
      const routes = this.#routes(request.path, request, response);
      const work = routes[request.method];
      if (work === undefined) throw wrongMethod(request.method, Object.keys(routes));
      work();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#refuse(response, error.refusal);
    }
    this.#options.log.settle();
  };

  /** What a path can be asked for, by method. */
  #routes(path: string, request: Request, response: ServerResponse): Record<string, () => void> {
    switch (path) {
      case "/v1/permits":
        return {
          GET: () => this.#list(response),
          POST: () => this.#ask(request, response),
        };
      case "/v1/events":
        return { GET: () => this.#listen(response) };
      case "/v1/state":
        return { GET: () => reply(response, 200, this.#state()) };
      case "/v1/reload":
        return { POST: () => this.#reload(response) };
      case "/metrics":
        return { GET: () => this.#showMetrics(response) };
      case "/healthz":
        return { GET: () => this.#health(response) };
    }
    const [, id, verb] = /^\/v1\/permits\/([^/]+)(?:\/(renew|release))?$/.exec(path) ?? [];
    if (id === undefined) throw new Refused(notFound(path));
    switch (verb) {
      case "renew":
        return { POST: () => this.#renew(id, request, response) };
      case "release":
        return { POST: () => this.#release(id, request, response) };
      default:
        return { GET: () => this.#show(id, response) };
    }
  }

  /** For each change, once it is written. */
  written({ event, permit }: Change): void {
    switch (event.kind) {
      case "asked":
        this.metrics.asked += 1;
        break;
      case "granted":
        this.metrics.granted += 1;
        if (permit !== undefined) this.#tellGranted(permit);
        break;
      case "ended":
        this.metrics.ended[event.how] += 1;
        if (permit !== undefined) this.#tellEnded(permit);
        break;
      case "renewed":
      case "observed":
      case "policy-set":
      case "opened":
        break;
    }
    this.#events.send(event.kind, () => this.#eventData(event, permit));
  }

  /** The journal fails: nobody can be given anything, so everybody is told. */
  failed(failure: BootstormError): void {
    this.#turnAway(this.#unavailable(failure), true);
  }

  /** No further permits: who waits is told, and keeps the place for the daemon that follows. */
  end(): void {
    this.#isEnding = true;
    this.#turnAway(this.#ending(), false);
    this.#events.close();
  }

  /** Something that is no change of a permit. */
  tell(kind: string, data: unknown): void {
    this.#events.send(kind, () => data);
  }

  readonly refused = (code: string): void => this.metrics.refuse(code);

  #refuse(response: ServerResponse, refusal: Refusal): void {
    this.metrics.refuse(refusal.code);
    refuse(response, refusal);
  }

  /** Everything about permits is silent while it could not be kept. */
  #requireService(): void {
    if (this.#isEnding) throw new Refused(this.#ending());
    const { failure } = this.#options.log;
    if (failure !== undefined) throw new Refused(this.#unavailable(failure));
  }

  #ending(): Refusal {
    const { whenUnavailable } = this.#options.config();
    return {
      status: 503,
      code: "ENDING",
      message: "the governor ends",
      why: "it was asked to; permits in force and places in the queue are kept",
      remedies: ["ask again with the same key"],
      more: { whenUnavailable },
    };
  }

  #unavailable(failure: BootstormError): Refusal {
    const { whenUnavailable } = this.#options.config();
    return { ...refusalOf(503, failure), code: "JOURNAL_FAILS", more: { whenUnavailable } };
  }

  #ask(request: Request, response: ServerResponse): void {
    this.#requireService();
    const wanted = requestOf(permitRequest, request.body);
    const { ledger, config } = this.#options;
    const { key, holder, wait } = wanted;
    const known = ledger.findKey(key);
    if (known?.state === "ended") throw new Refused(this.#permitEnded(known));
    if (known === undefined && ledger.waiting >= config().queueMax) {
      throw new Refused(queueFull(config().queueMax));
    }
    if (known === undefined && holder !== undefined && !holderRuns(holder)) {
      throw new Refused(holderGone(holder));
    }
    const permit = this.#options.causes.because(request, () => ledger.ask(this.#askOf(wanted)));
    if (permit.state === "waiting" && wait) {
      this.#await(permit, response);
      return;
    }
    this.#options.log.after((failure) => {
      // Who was never told of it does not have it.
      const isUntold = failure !== undefined || response.destroyed;
      if (known === undefined && isUntold) ledger.end(permit.ask.id, "gave-up");
    });
    this.#afterwards(response, permit.ask.id);
  }

  #askOf({ wait: _, leaseMs, deadlineMs, ...rest }: PermitRequest) {
    const { lease } = this.#options.config();
    const leaseNs = Math.min(leaseMs ?? lease.defaultMs, lease.maxMs) * 1e6;
    const { key, vm, tenant, priority, memoryMiB, vcpus, holder } = rest;
    return {
      key,
      vm,
      tenant,
      priority,
      leaseNs,
      ...(deadlineMs === undefined ? {} : { deadlineNs: this.#nowNs() + deadlineMs * 1e6 }),
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
      ...(vcpus === undefined ? {} : { vcpus }),
      ...(holder === undefined ? {} : { holder }),
    };
  }

  #nowNs(): number {
    return this.#options.time.nowNs();
  }

  #await({ ask: { id } }: Permit, response: ServerResponse): void {
    const { ledger } = this.#options;
    const all = this.#waiters.get(id) ?? new Set<ServerResponse>();
    this.#waiters.set(id, all.add(response));
    ledger.attach(id);
    response.once("close", () => {
      if (!all.delete(response)) return;
      // Nobody is left to be told. If it was granted in this very turn, nobody was.
      if (all.size > 0) ledger.detach(id);
      else {
        this.#waiters.delete(id);
        ledger.end(id, "gave-up");
      }
    });
  }

  #takeWaiters(id: number): readonly ServerResponse[] {
    const all = this.#waiters.get(id);
    if (all === undefined) return [];
    const taken = [...all];
    all.clear();
    this.#waiters.delete(id);
    return taken;
  }

  #tellGranted(permit: Permit): void {
    const { id } = permit.ask;
    for (const response of this.#takeWaiters(id)) {
      reply(response, 200, { permit: this.#json.of(permit) });
    }
    this.metrics.wait.observe((permit.grantedNs! - permit.askedNs) / 1e9);
    const seconds = this.#options.causes.takeSeconds(id);
    if (seconds !== undefined) this.metrics.decision.observe(seconds);
  }

  #tellEnded(permit: Permit): void {
    for (const response of this.#takeWaiters(permit.ask.id)) {
      const isLate = permit.ask.deadlineNs !== undefined && permit.how === "gave-up";
      this.#refuse(response, isLate ? this.#deadlinePassed(permit) : this.#permitEnded(permit));
    }
  }

  #turnAway(refusal: Refusal, end: boolean): void {
    const { ledger } = this.#options;
    const ids = [...this.#waiters.keys()];
    for (const id of ids) {
      for (const response of this.#takeWaiters(id)) this.#refuse(response, refusal);
      if (end) ledger.end(id, "gave-up");
    }
  }

  #show(id: string, response: ServerResponse): void {
    const permit = this.#find(id);
    this.#options.ledger.touch(permit.ask.id);
    this.#afterwards(response, permit.ask.id);
  }

  #renew(id: string, request: Request, response: ServerResponse): void {
    const wanted = requestOf(renewRequest, request.body ?? {});
    const permit = this.#find(id);
    if (permit.state === "ended") throw new Refused(this.#permitEnded(permit));
    const { ledger, config } = this.#options;
    const { leaseMs, holder } = wanted;
    if (holder !== undefined && !holderRuns(holder)) throw new Refused(holderGone(holder));
    if (permit.state === "waiting") ledger.touch(permit.ask.id);
    else {
      const mostNs = config().lease.maxMs * 1e6;
      const leaseNs = Math.min(leaseMs === undefined ? permit.leaseNs : leaseMs * 1e6, mostNs);
      ledger.renew(permit.ask.id, leaseNs, holder);
    }
    this.#afterwards(response, permit.ask.id);
  }

  #release(id: string, request: Request, response: ServerResponse): void {
    const wanted = requestOf(releaseRequest, request.body ?? {});
    const permit = this.#find(id);
    const { outcome, bootMs, cpuMs } = wanted;
    const { ledger, signals } = this.#options;
    const gaveUp = permit.state === "waiting" || outcome === "gave-up";
    this.#options.causes.because(request, () => {
      if (gaveUp) ledger.end(permit.ask.id, "gave-up");
      else if (outcome === "unknown") ledger.end(permit.ask.id, "released");
      else {
        const toldNs = cpuMs === undefined ? undefined : Math.round(cpuMs * 1e6);
        const cpuNs = signals.bootCpuNs(permit.ask.id, toldNs);
        ledger.end(permit.ask.id, "released", {
          failed: outcome === "failed",
          ...(bootMs === undefined ? {} : { bootNs: Math.round(bootMs * 1e6) }),
          ...(cpuNs === undefined ? {} : { cpuNs }),
        });
      }
    });
    this.#afterwards(response, permit.ask.id);
  }

  #find(id: string): Permit {
    this.#requireService();
    const { ledger } = this.#options;
    const number = this.#json.number(id);
    const permit = number === undefined ? ledger.findKey(keyIn(id) ?? "") : ledger.find(number);
    if (permit === undefined) throw new Refused(noPermit(id));
    return permit;
  }

  #afterwards(response: ServerResponse, id: number): void {
    this.#options.log.after((failure) => {
      if (failure !== undefined) this.#refuse(response, this.#unavailable(failure));
      else this.#showPermit(response, id);
    });
  }

  #showPermit(response: ServerResponse, id: number): void {
    const { ledger } = this.#options;
    const permit = ledger.find(id);
    if (permit === undefined) this.#refuse(response, noPermit(String(id)));
    else if (permit.state !== "waiting") reply(response, 200, { permit: this.#json.of(permit) });
    else reply(response, 202, { permit: this.#json.of(permit, ledger.position(permit)) });
  }

  #list(response: ServerResponse): void {
    this.#requireService();
    this.#options.log.after(() => {
      const all = [...this.#options.ledger.live()];
      const permits = all.slice(0, LIST_MAX).map((permit) => this.#json.of(permit));
      reply(response, 200, { permits, more: all.length - permits.length });
    });
  }

  #listen(response: ServerResponse): void {
    if (this.#isEnding) throw new Refused(this.#ending());
    if (!this.#events.add(response)) throw new Refused(tooManyListeners(this.#events.clients));
  }

  #eventData(event: PermitEvent, permit: Permit | undefined): unknown {
    const { kind, atNs } = event;
    const cap = event.kind === "granted" && event.cap !== undefined ? { cap: event.cap } : {};
    if (permit !== undefined) return { kind, atNs, ...cap, permit: this.#json.of(permit) };
    return event;
  }

  #state(): unknown {
    const { ledger, log, journal } = this.#options;
    const { lease, queueMax, signals, weight, whenUnavailable } = this.#options.config();
    const { policy, ...permits } = ledger.gauges();
    const waiting = firstWaiting(ledger);
    const heldNs = Math.max(0, ledger.heldUntilNs - this.#nowNs());
    return {
      permits,
      gauges: policy,
      signals: this.#options.signals.states(),
      weight: this.#options.weight.state(),
      quota: this.#options.quota.state(),
      ...(waiting === undefined
        ? {}
        : { why: explainPermit(waiting, this.#nowNs(), ledger.heldUntilNs) }),
      heldMs: Math.round(heldNs / 1e6),
      journal: { bytes: journal.bytes, works: log.failure === undefined },
      configuration: {
        policy: ledger.policy,
        lease,
        queueMax,
        signals,
        weight,
        whenUnavailable,
      },
    };
  }

  #showMetrics(response: ServerResponse): void {
    const { ledger, log, journal, signals, weight, quota, version } = this.#options;
    const text = openMetrics(this.metrics, {
      version,
      gauges: ledger.gauges(),
      journalBytes: journal.bytes,
      journalWorks: log.failure === undefined,
      heldSeconds: Math.max(0, ledger.heldUntilNs - this.#nowNs()) / 1e9,
      eventClients: this.#events.clients,
      signals: signals.states(),
      weightRaised: weight.state().raised,
      quota: quota.metrics(),
    });
    const type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    replyText(response, 200, type, text);
  }

  #health(response: ServerResponse): void {
    this.#requireService();
    reply(response, 200, { status: this.#options.ledger.heldUntilNs > 0 ? "held" : "ok" });
  }

  #reload(response: ServerResponse): void {
    this.#options.reload().then(
      (needsRestart) => reply(response, 200, { reloaded: true, needsRestart }),
      (error: BootstormError) => this.#refuse(response, refusalOf(400, error)),
    );
  }

  #permitEnded(permit: Permit): Refusal {
    return {
      status: 409,
      code: "PERMIT_ENDED",
      message: "this permit is over",
      why: permit.how ?? "it ended",
      remedies: ["ask with a new key"],
      more: { permit: this.#json.of(permit) },
    };
  }

  #deadlinePassed(permit: Permit): Refusal {
    const json = this.#json.of(permit);
    return {
      status: 408,
      code: "DEADLINE_PASSED",
      message: "not granted in time",
      why: String(json.why),
      remedies: ["ask again, with a later deadline"],
      more: { permit: json },
    };
  }
}

/** The one that goes next, tenants' turns aside. */
function firstWaiting(ledger: Ledger): Permit | undefined {
  let first: Permit | undefined;
  for (const permit of ledger.live()) {
    if (permit.state !== "waiting") continue;
    if (first === undefined || permit.ask.priority > first.ask.priority) first = permit;
  }
  return first;
}

/** Ends the work on a request; the client is told why. */
class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

function requestOf<T>(schema: RequestSchema<T>, body: unknown): T {
  const read = readRequest(schema, body);
  if (read.problems === undefined) return read.request;
  throw new Refused({
    status: 400,
    code: "BAD_REQUEST",
    message: "the request is wrong",
    why: read.problems,
  });
}

/** Of `key=vm-17`, as it stands in a path; undefined for what is none. */
function keyIn(id: string): string | undefined {
  if (!id.startsWith("key=")) return undefined;
  try {
    return decodeURIComponent(id.slice("key=".length));
  } catch {
    return undefined; // A percent sign that escapes nothing.
  }
}

function notFound(path: string): Refusal {
  return {
    status: 404,
    code: "NOT_FOUND",
    message: "there is nothing here",
    why: `${path.slice(0, 200)} is no path of this API`,
  };
}

function wrongMethod(method: string, possible: readonly string[]): Refused {
  return new Refused({
    status: 405,
    code: "WRONG_METHOD",
    message: `${method.slice(0, 20)} is not possible here`,
    why: `this path takes ${possible.join(" and ")}`,
  });
}

function tooManyListeners(clients: number): Refusal {
  return {
    status: 429,
    code: "TOO_MANY_LISTENERS",
    message: "too many listen to events",
    why: `${clients} do`,
    remedies: ["end one of them"],
  };
}

function noPermit(id: string): Refusal {
  return {
    status: 404,
    code: "NO_PERMIT",
    message: "there is no such permit",
    why: `${id.slice(0, 100)} is not known, or ended long ago`,
  };
}

function queueFull(queueMax: number): Refusal {
  return {
    status: 429,
    code: "QUEUE_FULL",
    message: "too many wait",
    why: `${queueMax} launchers wait (queueMax)`,
    remedies: ["ask again later"],
  };
}

function holderGone({ pid, startTicks }: { pid: number; startTicks: string }): Refusal {
  return {
    status: 409,
    code: "HOLDER_GONE",
    message: "the holder does not run",
    why: `there is no process ${pid} that started at ${startTicks} ticks`,
    remedies: ["startTicks is field 22 of /proc/PID/stat, as this host sees the process"],
  };
}
