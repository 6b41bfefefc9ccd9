// One round: so many VMs are asked for, a policy lets them go, each boots or fails.
import type { BootRecord, BootRound } from "../../../core/event/boot.ts";
import { Gate } from "../../../core/policy/gate.ts";
import type { Ask } from "../../../core/policy/policy.ts";
import { createPolicy } from "../../../core/policy/registry.ts";
import type { Arrivals } from "../../../core/scenario/scenario.ts";
import { arrivalsNs } from "../../../core/sim/arrivals.ts";
import { startRoundLoad } from "../../../host/probe/round-load.ts";
import { type RunningVm, startVm } from "../../../host/qemu/vm.ts";
import type { StormMachine } from "./machine.ts";
import type { RoundAsk } from "./plan.ts";
import { systemTime } from "./system-time.ts";

export interface RoundSetting {
  readonly machine: StormMachine;
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
  // Aborts when the round is over, whatever its end: a VM that was on its way then never starts.
  const over = new AbortController();
  const signal = AbortSignal.any([setting.signal, over.signal]);
  const originNs = process.hrtime.bigint();
  const time = systemTime(originNs);
  const gate = new Gate(createPolicy(limit.policy), time);
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
    gate.close();
    for (const cancel of cancels) cancel();
    await Promise.allSettled(started);
    await Promise.all(ends);
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
          const request = () => gate.ask(bootAsk(id, machine), go);
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
    if (vm.pid !== undefined) setting.onVm(vm.pid);
    const failed = await Promise.race([vm.ready.then(() => false), vm.done.then(isFailure)]);
    if (signal.aborted) return vm;
    gate.observe({ kind: "boot-finished", latencyNs: time.nowNs() - admittedNs, failed });
    gate.release(id);
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

function isFailure({ outcome }: BootRecord): boolean {
  return outcome !== "ready";
}

function bootAsk(id: number, machine: StormMachine): Ask {
  return { id, kind: "boot", vm: id, priority: 0, ...machine.askOf(id) };
}
