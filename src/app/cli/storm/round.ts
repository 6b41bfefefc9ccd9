// One round: so many VMs are asked for, policies let them go, each boots or fails.
import type { BootRecord, BootRound } from "../../../core/event/boot.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { arrivalsNs } from "../../../core/sim/arrivals.ts";
import { startRoundLoad } from "../../../host/probe/round-load.ts";
import { cpuNsOf } from "../../../host/qemu/sample.ts";
import { type RunningVm, startVm } from "../../../host/qemu/vm.ts";
import type { Admission } from "./admission.ts";
import type { StormMachine } from "./machine.ts";
import type { RoundAsk } from "./plan.ts";
import { systemTime } from "./system-time.ts";

export interface RoundSetting {
  readonly machine: StormMachine;
  /** Decides for this round alone, which closes it. */
  admission(originNs: bigint): Admission;
  readonly arrivals: Arrivals;
  /** Of the arrivals: rounds of one repetition have the same, so that they can be compared. */
  readonly seed: number;
  /** Of this round; each VM gets a folder in it. */
  readonly folder: string;
  readonly readyTimeoutMs: number;
  readonly consoleBytesMax: number;
  readonly afterReady: "end" | "stay";
  readonly signal: AbortSignal;
  /** A VMM has started. */
  onVm(pid: number): void;
  /** A VM is ready, or has failed. */
  onBoot(): void;
}

/**
 * Boots the VMs of a round. None is left when it returns or throws.
 * @throws the signal's reason when it aborted; BootstormError CANNOT_WRITE
 */
export async function runRound(ask: RoundAsk, setting: RoundSetting): Promise<BootRound> {
  setting.signal.throwIfAborted();
  const { machine } = setting;
  const { vms, limit, kind, pressure, repetition, role } = ask;
  const originNs = process.hrtime.bigint();
  const time = systemTime(originNs);
  const admission = setting.admission(originNs);
  // Aborts when the round is over, whatever its end: a VM that was on its way then never starts.
  const over = new AbortController();
  const signal = AbortSignal.any([setting.signal, over.signal, admission.failed]);
  const load = startRoundLoad();
  const cancels: (() => void)[] = [];
  const started: Promise<RunningVm>[] = [];
  const ends: Promise<BootRecord>[] = [];
  try {
    const running = await Promise.race([givenUp(signal), allBooted()]);
    const spanNs = time.nowNs();
    for (const vm of running) vm.end();
    const boots = await Promise.all(running.map(({ done }) => done));
    return {
      ...{ vms, limit: limit.name, kind, pressure, repetition, role },
      ...{ originNs: String(originNs), spanNs, boots },
      load: load.stop(boots.reduce((sum, { cpuNs }) => sum + (cpuNs ?? 0), 0)),
    };
  } catch (error) {
    load.stop(0);
    throw error;
  } finally {
    over.abort();
    const closed = admission.close();
    for (const cancel of cancels) cancel();
    await Promise.allSettled(started);
    await Promise.all(ends);
    await closed;
  }

  /** In the order of their numbers, once each is ready or has failed. */
  function allBooted(): Promise<RunningVm[]> {
    const boots = arrivalsNs(setting.arrivals, vms, setting.seed).map(
      (requestedNs, id) =>
        new Promise<RunningVm>((resolve, reject) => {
          const go = () => {
            const boot = bootOne(id, requestedNs);
            started.push(boot);
            boot.then(resolve, reject);
          };
          const request = () => admission.request(id, go);
          if (requestedNs === 0) request();
          else cancels.push(time.wakeAt(requestedNs, request));
        }),
    );
    return Promise.all(boots);
  }

  /** @returns when the VM is ready, or has failed */
  async function bootOne(id: number, requestedNs: number): Promise<RunningVm> {
    const admittedNs = time.nowNs();
    const vm = startVm({
      ...(await machine.start(id, kind, setting.folder)),
      consoleBytesMax: setting.consoleBytesMax,
      readyTimeoutMs: setting.readyTimeoutMs,
      originNs,
      requestedNs,
      admittedNs,
      afterReady: setting.afterReady,
      signal,
    });
    ends.push(vm.done);
    const { pid } = vm;
    if (pid !== undefined) {
      setting.onVm(pid);
      admission.started(id, pid);
    }
    const end = await Promise.race([vm.ready, vm.done]);
    if (signal.aborted) return vm;
    const failed = end !== undefined && end.outcome !== "ready";
    // One that is ready was seen to be so just now, and still runs.
    const cpuNs = end?.cpuNs ?? (pid === undefined ? undefined : cpuNsOf(pid));
    admission.finished(id, {
      latencyNs: time.nowNs() - admittedNs,
      failed,
      ...(cpuNs === undefined ? {} : { cpuNs }),
    });
    setting.onBoot();
    return vm;
  }
}

/** Never resolves. @throws the signal's reason when it aborts */
function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
