// The daemon `bootstorm govern`: ledger, journal, API and timers put together.
import type { Server } from "node:http";
import { BootstormError } from "../../core/error.ts";
import { checkHistory } from "../../core/govern/history.ts";
import { emptyLedger, type Ledger, openLedger } from "../../core/govern/ledger.ts";
import type { LedgerState, PermitEvent } from "../../core/govern/permit.ts";
import { STEER_BY_LOCK_WAIT } from "../../core/policy/registry.ts";
import type { GovernConfig } from "../../core/scenario/govern-config.ts";
import { sweepCgroups } from "../../host/cgroup/marks.ts";
import { Api } from "./api.ts";
import { BootWeight, fairWeight } from "./boot-weight.ts";
import { Causes } from "./causes.ts";
import { monotonicTime } from "./clock.ts";
import { CommitLog } from "./commit-log.ts";
import { HolderWatch, holderRuns } from "./holders.ts";
import { createApiServer } from "./http.ts";
import {
  continueJournal,
  findJournal,
  type Journal,
  type JournalContents,
  newJournal,
  type SetAside,
  setAside,
} from "./journal.ts";
import { listenOnSocket, listenOnTcp, readToken } from "./listen.ts";
import type { Metrics } from "./metrics.ts";
import { Quota } from "./quota/quota.ts";
import { Signals } from "./signals.ts";

export interface GovernorOptions {
  readonly config: GovernConfig;
  readonly socketPath: string;
  readonly stateFolder: string;
  readonly version: string;
  /** Reads the configuration again. */
  readonly reread: () => Promise<GovernConfig>;
  /** For what an administrator should know. */
  readonly say: (text: string) => void;
}

export interface Governor {
  readonly listensOn: readonly string[];
  /**
   * Takes over the configuration as it is now.
   * @returns fields that were changed and wait for a restart
   * @throws what `reread` throws; then nothing has changed
   */
  reload(): Promise<readonly string[]>;
  /** Tells those who wait, keeps the state, and ends. */
  end(): Promise<void>;
  readonly counts: Pick<Metrics, "asked" | "granted" | "ended">;
}

/** Connections beside one for each launcher that waits. */
const CONNECTIONS_BESIDE = 256;
const TCP_CONNECTIONS_MAX = 1024;
/** How long answers may take to leave when the daemon ends. */
const END_LIMIT_MS = 1000;

/** Timers of a host that stood still may be this late; what was lost is later. */
const LATE_NS_MAX = 60e9;
const BREACHES_SAID_MAX = 10;

const FIELDS_OF_START = ["socket", "listen", "stateFolder", "journalMiBMax"] as const;

/** @throws BootstormError when the state cannot be read or written, or nothing can be listened on */
export async function startGovernor(options: GovernorOptions): Promise<Governor> {
  const { listen, queueMax } = options.config;
  const token = listen === undefined ? undefined : await readToken(listen.tokenFile);
  const parts = openParts(options);
  const { ledger, log, api, holders, weight, signals, quota } = parts;
  log.commit();

  const { answer, refused } = api;
  const servers: Server[] = [];
  const listensOn: string[] = [];
  try {
    const connectionsMax = queueMax + CONNECTIONS_BESIDE;
    const server = createApiServer({ connectionsMax, answer, refused });
    await listenOnSocket(server, options.socketPath);
    servers.push(server);
    listensOn.push(options.socketPath);
    if (listen !== undefined && token !== undefined) {
      const tcp = createApiServer({ connectionsMax: TCP_CONNECTIONS_MAX, token, answer, refused });
      await listenOnTcp(tcp, listen.host, listen.port);
      servers.push(tcp);
      listensOn.push(`http://${listen.host}:${listen.port}`);
    }
  } catch (error) {
    await end();
    throw error;
  }

  async function end(): Promise<void> {
    api.end();
    holders.close();
    weight.close();
    quota.close();
    log.close();
    ledger.close();
    await Promise.all([...servers.map(closeServer), signals.close()]);
    parts.journal.close();
  }

  return { listensOn, reload: parts.reload, end, counts: api.metrics };
}

/** What a daemon is made of. */
interface Parts {
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly log: CommitLog;
  readonly api: Api;
  readonly holders: HolderWatch;
  readonly signals: Signals;
  readonly weight: BootWeight;
  readonly quota: Quota;
  readonly reload: () => Promise<readonly string[]>;
}

/** What the journal says at the start. */
interface Past {
  readonly journal: Journal;
  readonly originNs: bigint;
  readonly state: LedgerState;
  readonly events: readonly PermitEvent[];
}

/** Opens what the daemon before has left, as far as it can be believed. */
function openParts(options: GovernorOptions): Parts {
  const { stateFolder, config } = options;
  const found = findJournal(stateFolder);
  if (found.kind === "set-aside") return putTogether(options, distrusted(options, found));
  if (found.kind !== "journal") return putTogether(options, unused(options, 0));
  const { contents } = found;
  const { header, state, events } = contents;
  sayBreaches(options, contents);
  const journal = continueJournal(stateFolder, contents, config.journalMiBMax << 20);
  try {
    return putTogether(options, { journal, originNs: BigInt(header.originNs), state, events });
  } catch (error) {
    journal.close();
    if (!(error instanceof BootstormError) || error.code !== "LEDGER_CONTRADICTION") throw error;
    return putTogether(options, distrusted(options, setAside(stateFolder, error.why)));
  }
}

/** A daemon that starts holds what the one before has done against what was promised. */
function sayBreaches({ say }: GovernorOptions, { state, events }: JournalContents): void {
  const rules = { toleranceNs: LATE_NS_MAX, live: state.live };
  for (const { fault } of checkHistory(events, rules).slice(0, BREACHES_SAID_MAX)) {
    say(`the journal shows a bug in bootstorm, please report it: ${fault}`);
  }
}

function unused({ stateFolder, config }: GovernorOptions, heldMs: number): Past {
  const originNs = process.hrtime.bigint();
  const state = emptyLedger(config.policy, heldMs * 1e6);
  const journal = newJournal(stateFolder, originNs, state, config.journalMiBMax << 20);
  return { journal, originNs, state, events: [] };
}

/** Whoever was given a permit still has it, at most for the longest lease. */
function distrusted(options: GovernorOptions, { why, path }: SetAside): Past {
  const { maxMs } = options.config.lease;
  options.say(`the state was damaged and is set aside: ${path}: ${why}`);
  options.say(
    `nothing is granted for ${maxMs / 1000} s (lease.maxMs): until then permits may be in force that nobody knows`,
  );
  return unused(options, maxMs);
}

/** @throws BootstormError LEDGER_CONTRADICTION, with nothing written */
function putTogether({ version, say, reread, ...options }: GovernorOptions, past: Past): Parts {
  let { config } = options;
  const { journal } = past;
  const time = monotonicTime(past.originNs);
  const holders = new HolderWatch((id) => ledger.end(id, "launcher-died"));
  const log = new CommitLog({
    journal,
    snapshot: () => ledger.snapshot(),
    written: (change) => api.written(change),
    failed: (failure) => api.failed(failure),
    say,
  });
  const causes = new Causes();
  const signals = new Signals({
    settings: () => config.signals,
    counts: () => ledger.gauges(),
    steersByLockWait: () => config.policy.some(({ name }) => STEER_BY_LOCK_WAIT.has(name)),
    bootWeight: () => weight.mean,
    // What cannot be written is not told either: the policy is what its journal makes of it.
    observe: (sample) => log.failure ?? ledger.observe(sample),
  });
  for (const why of sweepCgroups().kept) say(`a killed run has left a group: ${why}`);
  const weight = new BootWeight(() => {
    const { boots } = config.weight;
    return boots === "auto" ? fairWeight(ledger.gauges()) : boots;
  }, say);
  const quota = new Quota({
    settings: () => config.quota,
    nowNs: time.nowNs,
    changed: (row) => api.tell("quota", row),
  });
  const ledger = openLedger(
    {
      time,
      runs: holderRuns,
      record: (event, permit) => {
        log.record({ event, permit });
        holders.note(permit);
        weight.note(permit);
        quota.note(permit, event);
        signals.note(event, permit);
        causes.note(event);
      },
    },
    past.state,
    past.events,
  );
  const parts = { ledger, log, journal, time, causes, signals, weight, quota };
  const api = new Api({ ...parts, version, config: () => config, reload });
  for (const permit of ledger.live()) {
    holders.note(permit);
    weight.note(permit);
    signals.adopt(permit);
  }
  for (const permit of ledger.snapshot().ended) quota.note(permit);
  quota.reload();
  if (!isEqual(ledger.policy, config.policy)) ledger.setPolicy(config.policy);
  signals.begin();

  async function reload(): Promise<readonly string[]> {
    const next = await reread();
    const waits = FIELDS_OF_START.filter((field) => !isEqual(next[field], config[field]));
    if (!isEqual(next.policy, ledger.policy)) {
      ledger.setPolicy(next.policy);
      signals.begin();
    }
    config = next;
    weight.reload();
    quota.reload();
    signals.reload();
    return waits;
  }

  return { journal, ledger, log, api, holders, signals, weight, quota, reload };
}

/** Values of one schema: their fields are in one order. */
function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Answers that are under way may leave; then all is cut off. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => server.closeAllConnections(), END_LIMIT_MS);
    server.close(() => {
      clearTimeout(limit);
      resolve();
    });
    server.closeIdleConnections();
  });
}
