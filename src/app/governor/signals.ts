import type { Permit, PermitEvent } from "../../core/govern/permit.ts";
import type { Sample } from "../../core/policy/policy.ts";
import type { GovernConfig } from "../../core/scenario/govern-config.ts";
import { type CpuTimes, cpuShares, readCpuTimes, SINCE_BOOT } from "../../host/probe/cpu-times.ts";
import { lackOfPscEvents } from "../../host/probe/psc-events.ts";
import { BootWatch } from "./boot-watch.ts";
import { LockWatch } from "./lock-watch.ts";
import { readCpuPressure } from "./pressure.ts";

/** The last value of a signal and where it is from, or why there is none. */
export type Signal = SignalReading | { readonly missing: string };

export interface SignalReading {
  /** Shares are 0..1. */
  readonly values: Readonly<Record<string, number>>;
  readonly source: string;
  readonly agoMs: number;
  /** What could not be told, and why. */
  readonly lacks?: string;
}

/** In the order in which they are shown. */
export interface SignalStates {
  readonly hostCpu: Signal;
  readonly bootCpu: Signal;
  readonly lockWait: Signal;
  readonly cpuPressure: Signal;
  readonly pageStateChanges: Signal;
  readonly queueTime: Signal;
}

export interface SignalsOptions {
  readonly settings: () => GovernConfig["signals"];
  readonly counts: () => { readonly waiting: number; readonly inForce: number };
  readonly steersByLockWait: () => boolean;
  /** Of boots in service, for the scheduler: a multiple of what others have. */
  readonly bootWeight: () => number;
  /** Tells the policy; whatever it lets go is let go before this returns. */
  readonly observe: (sample: Sample) => void;
}

/** A look takes at most this share of one CPU: where it takes long it is taken less often. */
const LOOK_SHARE_MAX = 0.01;

/**
 * Measures what policies steer by, while boots are in service or wait for it; without any, nothing
 * wakes up.
 */
export class Signals {
  readonly #options: SignalsOptions;
  readonly #boots = new BootWatch();
  readonly #locks: LockWatch;
  #timer: NodeJS.Timeout | undefined;
  #before: CpuTimes | undefined;
  #hostCpu: Measured | undefined;
  #hostCpuProblem: string | undefined;
  #bootCpu: Measured | undefined;
  #lockWait: Measured | undefined;

  constructor(options: SignalsOptions) {
    this.#options = options;
    this.#locks = new LockWatch(this.#boots, (share) => {
      const source = "lock:contention_begin, lock:contention_end";
      this.#lockWait = measured({ share: rounded(share) }, source, this.#withoutHolder());
      options.observe({ kind: "lock-wait", share: rounded(share) });
    });
  }

  /** A policy that is new learns how many CPUs there are before the first boot: since they run. */
  begin(): void {
    try {
      const now = readCpuTimes("/");
      const idleShare = rounded(cpuShares(SINCE_BOOT, now, 0)?.idleShare ?? 0);
      this.#options.observe({ kind: "host-cpu", cpus: now.cpus, idleShare });
    } catch {
      // The first look says why.
    }
  }

  /** Of each permit that was in force or waited when the daemon started. */
  adopt(permit: Permit): void {
    this.#boots.adopt(permit);
    this.#wake();
  }

  /** For each change when it happens, with the permit as it has become. */
  note(event: PermitEvent, permit: Permit | undefined): void {
    this.#boots.note(event, permit);
    if (event.kind === "asked" || event.kind === "granted") this.#wake();
  }

  /**
   * CPU time of a boot that ends: what its launcher told, which may know of processes that we do not;
   * else our own reading.
   * @returns undefined where nobody can tell
   */
  bootCpuNs(id: number, toldNs: number | undefined): number | undefined {
    const cpuNs = toldNs ?? this.#boots.cpuNsOf(id);
    if (cpuNs === undefined) return undefined;
    const source = toldNs === undefined ? "process tree of the holder" : "told by the launcher";
    this.#bootCpu = measured({ cpuMs: cpuNs / 1e6 }, source);
    return cpuNs;
  }

  /** The configuration is another one. */
  reload(): void {
    this.#locks.forget();
    if (this.#wantsLockWaits()) return;
    void this.#locks.close();
    this.#lockWait = undefined;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#locks.close();
  }

  states(): SignalStates {
    return {
      hostCpu: shown(this.#hostCpu, this.#hostCpuProblem ?? NOT_YET),
      bootCpu: shown(this.#bootCpu, "no boot has ended whose CPU time is known"),
      lockWait: this.#lockWaitState(),
      cpuPressure: this.#cpuPressure(),
      pageStateChanges: { missing: pscLack() },
      queueTime: {
        missing:
          "not available on this host: Linux has no tracepoint at the PSP's queue (sev_do_cmd, drivers/crypto/ccp)",
      },
    };
  }

  #wantsLockWaits(): boolean {
    const { lockWait } = this.#options.settings();
    return lockWait === "on" || (lockWait === "auto" && this.#options.steersByLockWait());
  }

  #lockWaitState(): Signal {
    if (!this.#wantsLockWaits()) {
      const isOff = this.#options.settings().lockWait === "off";
      return {
        missing: isOff
          ? "off (signals.lockWait)"
          : "no policy steers by it (signals.lockWait: on measures it all the same)",
      };
    }
    if (this.#locks.missing !== undefined) {
      return { missing: `not available on this host: ${this.#locks.missing}` };
    }
    const withoutHolder = this.#withoutHolder();
    return shown(this.#lockWait, withoutHolder ?? NOT_YET);
  }

  #cpuPressure(): Signal {
    if (this.#options.settings().cpuPressure === "off") {
      return { missing: "off (signals.cpuPressure)" };
    }
    const share = readCpuPressure();
    if (share === undefined) {
      return { missing: "not available on this host: the kernel has no PSI (CONFIG_PSI, psi=1)" };
    }
    return { values: { share }, source: "/proc/pressure/cpu, some avg10", agoMs: 0 };
  }

  #wake(): void {
    if (this.#timer !== undefined) return;
    // At once, but not in the time of who asks: what it sees is where the first sample begins.
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  #look(): void {
    this.#timer = undefined;
    const { waiting, inForce } = this.#options.counts();
    if (waiting + inForce === 0) {
      this.#before = undefined;
      return;
    }
    const before = process.cpuUsage();
    this.#lookAtCpus(inForce);
    // CPU time: on a host that is short of it, where signals matter, the clock goes on without us.
    const { user, system } = process.cpuUsage(before);
    const tookMs = (user + system) / 1000;
    const { everyMs } = this.#options.settings();
    if (this.#wantsLockWaits() && this.#boots.known > 0) this.#locks.start();
    const nextMs = Math.max(everyMs, tookMs / LOOK_SHARE_MAX);
    // What a look lets go wakes us too.
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), nextMs);
  }

  #lookAtCpus(inForce: number): void {
    const before = this.#before;
    let now: CpuTimes;
    try {
      now = readCpuTimes("/");
    } catch (error) {
      this.#hostCpuProblem = `not available on this host: ${(error as Error).message}`;
      return;
    }
    const usedNs = this.#boots.takeCpuNs();
    this.#before = now;
    const shares = before === undefined ? undefined : cpuShares(before, now, usedNs);
    if (shares === undefined) return;
    const boots = this.#boots.known < inForce ? {} : { bootShare: rounded(shares.usedShare) };
    const values = { cpus: now.cpus, idleShare: rounded(shares.idleShare), ...boots };
    this.#hostCpu = measured(values, "/proc/stat, process trees of holders", this.#withoutHolder());
    const weight = this.#options.bootWeight();
    const bootWeight = weight === 1 ? {} : { bootWeight: Math.round(weight * 10) / 10 };
    this.#options.observe({ kind: "host-cpu", ...values, ...bootWeight });
  }

  #withoutHolder(): string | undefined {
    const unknown = this.#options.counts().inForce - this.#boots.known;
    return unknown > 0 ? `${unknown} boots in service have named no holder` : undefined;
  }
}

const NOT_YET = "nothing was measured yet: it is while boots are in service";

function pscLack(): string {
  const lack = lackOfPscEvents("/");
  return lack === undefined
    ? "kvm:kvm_vmgexit_enter is there, but this version of bootstorm does not count by it"
    : `not available on this host: ${lack}`;
}

/** A reading with its time on the monotonic clock. */
interface Measured extends Omit<SignalReading, "agoMs"> {
  readonly atNs: bigint;
}

function measured(
  values: Readonly<Record<string, number>>,
  source: string,
  lacks?: string,
): Measured {
  return {
    values,
    source,
    ...(lacks === undefined ? {} : { lacks }),
    atNs: process.hrtime.bigint(),
  };
}

function shown(reading: Measured | undefined, missing: string): Signal {
  if (reading === undefined) return { missing };
  const { atNs, ...rest } = reading;
  return { ...rest, agoMs: Math.round(Number(process.hrtime.bigint() - atNs) / 1e6) };
}

/** To a tenth of a percent: no measurement here is finer, and the journal keeps it. */
function rounded(share: number): number {
  return Math.round(share * 1000) / 1000;
}
