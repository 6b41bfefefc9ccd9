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
  readonly seed: number;
  /** Of this round; each VM gets a folder in it. */
  readonly folder: string;
  readonly readyTimeoutMs: number;
  readonly consoleBytesMax: number;
  /** Direct-map pressure processes that run beside. */
  readonly pressure: number;
  readonly afterReady: "end" | "stay";
  readonly signal: AbortSignal;
  /** A VMM has started. */
  onVm(pid: number): void;
  /** A VM is ready, or has failed. */
  onBoot(): void;
}

/**
 * Boots the VMs of a round. None is left when it returns or throws.
 * @throws the signal's reason when it aborted
 */
export async function runRound(ask: RoundAsk, setting: RoundSetting): Promise<BootRound> {
  const { machine, signal } = setting;
  signal.throwIfAborted();
  const originNs = process.hrtime.bigint();
  const time = systemTime(originNs);
  const gate = new Gate(createPolicy(ask.limit.policy), time);
  const starts = arrivalsNs(setting.arrivals, ask.vms, setting.seed);
  const running = new Set<RunningVm>();
  const cancels: (() => void)[] = [];
  const load = startRoundLoad();
  const endAll = () => {
    gate.close();
    for (const cancel of cancels) cancel();
    for (const vm of running) vm.end();
  };
  signal.addEventListener("abort", endAll, { once: true });
  try {
    const vms = await Promise.all(
      starts.map(
        (requestedNs, id) =>
          new Promise<RunningVm>((resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason), { once: true });
            const boot = () => void bootOne(id, requestedNs).then(resolve, reject);
            const request = () => gate.ask(bootAsk(id, machine), boot);
            if (requestedNs === 0) request();
            else cancels.push(time.wakeAt(requestedNs, request));
          }),
      ),
    );
    const spanNs = time.nowNs();
    for (const vm of vms) vm.end();
    const boots = await Promise.all(vms.map(({ done }) => done));
    const ownCpuNs = boots.reduce((sum, { cpuNs }) => sum + (cpuNs ?? 0), 0);
    return {
      vms: ask.vms,
      limit: ask.limit.name,
      kind: ask.kind,
      pressure: setting.pressure,
      repetition: ask.repetition,
      role: ask.role,
      originNs: String(originNs),
      spanNs,
      boots,
      load: load.stop(ownCpuNs),
    };
  } finally {
    endAll();
    signal.removeEventListener("abort", endAll);
    await Promise.all([...running].map(({ done }) => done));
  }

  /** @returns when the VM is ready, or has failed */
  async function bootOne(id: number, requestedNs: number): Promise<RunningVm> {
    const admittedNs = time.nowNs();
    const vm = startVm({
      ...(await machine.start(id, ask.kind, setting.folder)),
      consoleBytesMax: setting.consoleBytesMax,
      readyTimeoutMs: setting.readyTimeoutMs,
      originNs,
      requestedNs,
      admittedNs,
      afterReady: setting.afterReady,
      signal,
    });
    running.add(vm);
    if (vm.pid !== undefined) setting.onVm(vm.pid);
    const failed = await Promise.race([vm.ready.then(() => false), vm.done.then(isFailure)]);
    const latencyNs = time.nowNs() - admittedNs;
    gate.observe({ kind: "boot-finished", latencyNs, failed });
    gate.release(id);
    setting.onBoot();
    return vm;
  }
}

function isFailure({ outcome }: BootRecord): boolean {
  return outcome !== "ready";
}

function bootAsk(id: number, machine: StormMachine): Ask {
  return { id, kind: "boot", vm: id, priority: 0, ...machine.askOf(id) };
}
