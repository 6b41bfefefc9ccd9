// What kernels are booted on: QEMU, how guest code runs, and a guest that measures.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { KernelBoot, LoadOrder } from "../../../core/event/kernel-run.ts";
import { DEFAULT_MACHINE } from "../../../core/scenario/machine.ts";
import { readLoadConsole } from "../../../core/trace/load-console.ts";
import { buildInitramfs } from "../../../host/guest/initramfs.ts";
import type { KernelImage } from "../../../host/guest/kernel-image.ts";
import { buildLoadInitramfs } from "../../../host/guest/load-initramfs.ts";
import { tscKhz } from "../../../host/guest/tsc.ts";
import { startRoundLoad } from "../../../host/probe/round-load.ts";
import { chooseAccelerator, type Refusal } from "../../../host/qemu/accelerator.ts";
import { qemuArgs } from "../../../host/qemu/command-line.ts";
import { type MeasuredGuest, runMeasuringGuest } from "../../../host/qemu/measuring-guest.ts";
import { findQemu, type Qemu } from "../../../host/qemu/version.ts";
import type { Cache } from "../../../host/store/cache.ts";
import type { Session } from "../run.ts";
import type { Arm } from "./arms.ts";
import { memoryMiB, orderWord, requireRoom, silenceMs, wholeMs } from "./orders.ts";
import { withoutScenario } from "./remedies.ts";

export type AcceleratorWord = "auto" | "kvm" | "tcg";
export type SpinlockWord = "test-and-set" | "queued";

export interface MachineAsk {
  readonly arms: readonly Arm[];
  readonly accelerator: AcceleratorWord;
  readonly spinlock: SpinlockWord;
  readonly cache: Cache;
  /** The script that is the guest's first process; default: that of kernel/load. */
  readonly init: string;
}

/** All that the guests of a run have in common. */
export interface MeasuringMachine {
  readonly qemu: Qemu;
  readonly accelerator: "kvm" | "tcg";
  /** As in `-cpu`. */
  readonly cpu: string;
  readonly initramfs: string;
  readonly tscKhz?: number;
  readonly refused: readonly Refusal[];
}

/** What the guest runs, beside the program. */
export const LOAD_INIT = fileURLToPath(new URL("../../../../kernel/load/init", import.meta.url));

/** Of the console of one boot: with lock statistics an order takes 30 KB. */
const CONSOLE_BYTES_MAX = 1 << 20;

/** Source: kernel/load/init. */
const DONE_TEXT = 'bootstorm-load: {"done":true}';

/**
 * `tsc=reliable`: else the kernel may find its clock unsteady in the middle of a measurement, on a
 * busy host. `nogbpages`: below an entry of 1 GiB there is no 2 MiB mapping to split.
 */
const GUEST_WORDS = "tsc=reliable nogbpages";

/** @throws BootstormError NO_LOAD_INIT, NO_QEMU, NO_BUSYBOX, NO_ACCELERATOR … */
export async function prepareMachine(ask: MachineAsk, session: Session): Promise<MeasuringMachine> {
  session.progress.step("preparing the guest");
  const qemu = await findQemu({ signal: session.signal }).catch(withoutScenario());
  const init = loadInit(ask.init);
  const initramfs = await buildLoadInitramfs(init, ask.cache).catch(withoutScenario());
  const choice = await acceleratorFor(qemu, ask, session);
  const khz = tscKhz(readFileSync("/proc/cpuinfo", "latin1"));
  return {
    ...{ qemu, initramfs, ...choice },
    // A CPU that does not say it is virtual gets the spin lock of hosts.
    cpu: ask.spinlock === "queued" ? `${choice.cpu},-hypervisor` : choice.cpu,
    ...(khz === undefined ? {} : { tscKhz: khz }),
  };
}

function loadInit(path: string): Uint8Array {
  if (existsSync(path)) return readFileSync(path);
  throw new BootstormError("NO_LOAD_INIT", "cannot build the guest that measures", {
    why: `${path} is not there: it comes with the program, in kernel/`,
    remedies: ["run it from a checkout"],
    exit: EXIT.host,
  });
}

/**
 * By the first kernel that boots at all: one of those that are compared may be broken, and that is to
 * be a result of the run.
 */
async function acceleratorFor(
  qemu: Qemu,
  { arms, accelerator: wanted, cache }: MachineAsk,
  { signal, progress }: Session,
): Promise<Pick<MeasuringMachine, "accelerator" | "cpu" | "refused">> {
  const images = new Map(
    arms.flatMap(({ boots }) => boots.time ?? []).map((image) => [image.sha256, image]),
  );
  const initramfs = await buildInitramfs(cache);
  const refused: Refusal[] = [];
  for (const image of images.values()) {
    for (const accelerator of wanted === "auto" ? (["kvm", "tcg"] as const) : [wanted]) {
      try {
        const { cpu } = await chooseAccelerator({
          profile: { ...DEFAULT_MACHINE, accelerator },
          ...{ qemu, initramfs, cache, signal },
          kernel: () => Promise.resolve(image),
          onStep: (what) => progress.step(what),
        });
        return { accelerator, cpu, refused };
      } catch (error) {
        if (!(error instanceof BootstormError) || error.code !== "NO_ACCELERATOR") throw error;
        // "kvm: -cpu host: QEMU ended by a signal: …"
        const evidence = error.why.replace(`${accelerator}: `, "");
        refused.push({ accelerator, reason: "guest-ended", evidence });
      }
    }
  }
  throw new BootstormError("NO_KERNEL_BOOTS", "none of these kernels boots here", {
    why: [...new Set(refused.map(({ evidence }) => evidence))].join("; "),
    remedies: [
      "a kernel for QEMU's microvm needs what kernel/config/base.config has",
      "bootstorm storm boots a kernel of the host: does that work?",
    ],
    exit: EXIT.host,
  });
}

/** One boot that is asked for. */
export interface BootAsk
  extends Pick<KernelBoot, "arm" | "purpose" | "vcpus" | "repetition" | "role"> {
  readonly image: KernelImage;
  /** Of the arm. */
  readonly words: readonly string[];
  readonly orders: readonly LoadOrder[];
}

export interface BootSurroundings {
  readonly signal: AbortSignal;
  readonly consoleFile: string;
  /** Milliseconds after the run began. */
  readonly startedMs: number;
  onVm(pid: number): void;
}

const DONE: Pick<MeasuredGuest, "outcome" | "why" | "consoleTail"> = { outcome: "done" };

/**
 * Boots a kernel, has it measure, and writes down what came of it.
 * @throws the signal's reason when it aborted
 */
export async function bootKernel(
  machine: MeasuringMachine,
  { image, words, orders, ...which }: BootAsk,
  { startedMs, ...surroundings }: BootSurroundings,
): Promise<KernelBoot> {
  const load = startRoundLoad();
  try {
    const guest = await runMeasuringGuest({
      ...surroundings,
      program: machine.qemu.program,
      args: argsOf(machine, image, { vcpus: which.vcpus, words, orders }),
      consoleBytesMax: CONSOLE_BYTES_MAX,
      doneText: DONE_TEXT,
      silenceMs: silenceMs(orders),
      limitMs: wholeMs(orders),
    });
    const said = readLoadConsole(guest.console, orders);
    // A kernel's last words may have torn the line that says that it is done.
    const isDone = guest.outcome === "ended" && said.measurements.length === orders.length;
    const { outcome, why, consoleTail } = isDone ? DONE : guest;
    return {
      ...which,
      ...{ startedMs, elapsedMs: Math.round(guest.elapsedMs), outcome },
      ...(why === undefined ? {} : { why }),
      ...(consoleTail === undefined ? {} : { consoleTail }),
      ...(said.release === undefined ? {} : { release: said.release }),
      measurements: said.measurements,
      complaints: said.complaints,
      load: load.stop(guest.cpuNs),
    };
  } catch (error) {
    load.stop(0);
    throw error;
  }
}

function argsOf(
  { qemu, accelerator, cpu, initramfs, tscKhz: khz }: MeasuringMachine,
  image: KernelImage,
  { vcpus, words, orders }: Pick<BootAsk, "vcpus" | "words" | "orders">,
): readonly string[] {
  const found = {
    ...{ program: qemu.program, accelerator, cpu, kernel: image.path, initramfs },
    ...(khz === undefined ? {} : { tscKhz: khz }),
  };
  const append = appendOf(words, orders);
  const place = { name: "kernel-ab", index: 0, dir: "", memoryMiB: memoryMiB(orders), vcpus };
  return qemuArgs({ ...DEFAULT_MACHINE, append }, found, { ...place, cpus: "" });
}

/** @throws BootstormError COMMAND_LINE_TOO_LONG */
export function appendOf(words: readonly string[], orders: readonly LoadOrder[]): string {
  const append = [GUEST_WORDS, ...words, ...orders.map(orderWord)].join(" ");
  requireRoom(append);
  return append;
}

/** The console of a boot, in the run's folder. */
export function consoleFileOf(folder: string, index: number): string {
  return join(folder, `boot-${String(index).padStart(3, "0")}.log`);
}
