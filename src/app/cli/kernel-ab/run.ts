// A whole comparison: boots in turn and back, each on disk as soon as it is over.

import { isTight, pairsLeast } from "../../../core/analyze/kernel-ab/enough.ts";
import { kernelAbResult } from "../../../core/analyze/kernel-ab/kernel-ab-result.ts";
import type {
  BootPurpose,
  KernelBoot,
  KernelRun,
  LoadOrder,
  Measurement,
} from "../../../core/event/kernel-run.ts";
import { kernelBootLine, kernelBootsHeaderLine } from "../../../core/event/kernel-run-codec.ts";
import { counted } from "../../../core/report/words.ts";
import { openRegister, type Register } from "../../../host/qemu/leftovers.ts";
import type { RunFolder } from "../../../host/store/run-folder.ts";
import type { Session } from "../run.ts";
import type { Arm } from "./arms.ts";
import { bootKernel, consoleFileOf, type MeasuringMachine } from "./machine.ts";
import { debugVcpus, type OrderAsk, ordersOf } from "./orders.ts";
import { hasLargePages } from "./predict.ts";
import { BOOTS_FILE } from "./run-file.ts";
import { createTrials, goesOn, type Repetitions, turnsOf } from "./turns.ts";

export interface ComparisonAsk extends OrderAsk {
  /** Guest sizes, ascending. */
  readonly vcpus: readonly number[];
  /** Undefined: until the intervals are tight. */
  readonly repetitions: number | undefined;
  /** An interval is tight if its ends are within a factor of 1 + precision. */
  readonly precision: number;
  /** For warm-ups and repetitions. */
  readonly budgetMs: number;
}

export interface ComparisonCourse {
  readonly run: KernelRun;
  readonly arms: readonly Arm[];
  readonly machine: MeasuringMachine;
  readonly ask: ComparisonAsk;
  readonly folder: RunFolder;
  /** A boot is on disk. */
  onBoot?(boot: KernelBoot): void;
}

/** With lock statistics, of each arm. */
const COUNT_BOOTS = 2;
/** Nobody waits for more, and the file that holds them stays small. */
const REPETITIONS_MAX = 200;

/**
 * Boots every kernel as often as it takes.
 * @throws the signal's reason when it aborted; BootstormError CANNOT_WRITE. No VM is left then, and
 * every boot that was whole is on disk
 */
export async function runComparison(session: Session, course: ComparisonCourse): Promise<void> {
  const register = openRegister();
  try {
    const consoles = await course.folder.makeFolder("consoles");
    await course.folder.append(BOOTS_FILE, kernelBootsHeaderLine());
    const booter = createBooter(session, course, register, consoles);
    await timeKernels(session, course, booter);
    await lookInside(course, booter);
  } finally {
    register.close();
  }
}

interface Booter {
  readonly boots: readonly KernelBoot[];
  elapsedMs(): number;
  /** @returns nothing where the arm has no kernel for it, or the orders are none */
  boot(which: BootOf): Promise<KernelBoot | undefined>;
}

interface BootOf extends Pick<KernelBoot, "arm" | "purpose" | "vcpus" | "repetition" | "role"> {
  /** Of the work, for the progress line. */
  readonly share: number;
}

function createBooter(
  { signal, progress }: Session,
  { arms, machine, ask, folder, onBoot }: ComparisonCourse,
  register: Register,
  consoles: string,
): Booter {
  const boots: KernelBoot[] = [];
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const impossible = createImpossible();
  return {
    boots,
    elapsedMs,
    async boot({ share, ...which }) {
      const { arm, boots: images } = arms[which.arm]!;
      const image = images[which.purpose];
      const orders = ordersOf(which.purpose, which.vcpus, ask).filter(
        (order) => (order.load !== "split" || hasLargePages(arm)) && !impossible.has(which, order),
      );
      if (image === undefined || orders.length === 0) return undefined;
      progress.step(describe(arm.name, which), share);
      const boot = await bootKernel(
        machine,
        { ...which, image, words: arm.words, orders },
        {
          signal,
          startedMs: Math.round(elapsedMs()),
          consoleFile: consoleFileOf(consoles, boots.length),
          onVm: register.process,
        },
      );
      await folder.append(BOOTS_FILE, kernelBootLine(boot));
      boots.push(boot);
      tellOddities(boot);
      onBoot?.(boot);
      return boot;
    },
  };

  function tellOddities(boot: KernelBoot): void {
    const { name } = arms[boot.arm]!.arm;
    const size = `${name} with ${vcpuWords(boot.vcpus)}`;
    if (boot.outcome !== "done") progress.note(`${size}: ${boot.outcome}: ${boot.why}`);
    for (const { order, why } of impossible.note(boot)) {
      const what = `${order.load} with ${counted(order.threads, "thread")}`;
      progress.note(`${size} cannot do ${what}, and is no longer asked: ${why}`);
    }
    const counts = boot.measurements.some((each) => "locks" in each && each.locks !== undefined);
    if (boot.purpose === "time" && boot.role === "warm-up" && counts) {
      progress.note(`${size} has lock statistics: its times are not those of a kernel without`);
    }
  }
}

/** What a kernel could not do in two boots in a row, of one size, it is not asked again. */
function createImpossible() {
  const failures = new Map<string, number>();
  const key = (
    { arm, purpose, vcpus }: Pick<KernelBoot, "arm" | "purpose" | "vcpus">,
    { load, threads }: LoadOrder,
  ) => `${arm} ${purpose} ${vcpus} ${load} ${threads}`;
  const inRow = (name: string) => failures.get(name) ?? 0;
  return {
    has: (which: Omit<BootOf, "share">, order: LoadOrder) => inRow(key(which, order)) >= 2,
    /** @returns what is given up now */
    note(boot: KernelBoot): { readonly order: LoadOrder; readonly why: string }[] {
      if (boot.outcome !== "done") return [];
      return boot.measurements.flatMap((each) => {
        const name = key(boot, each.order);
        failures.set(name, hasFailed(each) ? inRow(name) + 1 : 0);
        return hasFailed(each) && inRow(name) === 2
          ? [{ order: each.order, why: each.failed }]
          : [];
      });
    },
  };
}

function hasFailed(each: Measurement): each is Measurement & { readonly failed: string } {
  return "failed" in each;
}

async function timeKernels(
  { progress }: Session,
  { run, arms, ask }: ComparisonCourse,
  booter: Booter,
): Promise<void> {
  const all = arms.map((_, arm) => arm);
  const trials = createTrials(arms.length, ask.vcpus);
  const rule = ruleOf(ask, arms.length);
  const shareOf = (repetition: number, part: number) =>
    rule.kind === "exactly"
      ? (repetition + 1 + part) / (rule.count + 1)
      : Math.min(0.99, booter.elapsedMs() / rule.budgetMs);

  async function repeat(repetition: number, role: KernelBoot["role"]): Promise<void> {
    const turns = turnsOf(repetition, all, ask.vcpus);
    for (const [index, turn] of turns.entries()) {
      if (trials.isGivenUp(turn)) continue;
      const share = shareOf(role === "warm-up" ? -1 : repetition, index / turns.length);
      const boot = await booter.boot({ ...turn, purpose: "time", repetition, role, share });
      if (boot !== undefined) noteTrial(boot);
    }
  }

  function noteTrial({ arm, vcpus, outcome, measurements }: KernelBoot): void {
    const isOfUse = outcome === "done" && !measurements.every(hasFailed);
    const where = trials.note({ arm, vcpus }, isOfUse);
    if (where === undefined) return;
    const size = where === "everywhere" ? "" : ` with ${vcpuWords(vcpus)}`;
    progress.note(`${arms[arm]!.arm.name} is given up${size}`);
  }

  await repeat(0, "warm-up");
  let longestMs = 0;
  for (let repetition = 0; ; repetition += 1) {
    const left = trials.left();
    const follows = goesOn(rule, {
      repetitions: repetition,
      elapsedMs: booter.elapsedMs(),
      longestMs,
      isAlone: !left.some((living) => living[0] === 0 && living.length > 1),
      isIdle: left.every((living) => living.length === 0),
      isTight: () => isTight(kernelAbResult(run, booter.boots), ask.precision),
    });
    if (!follows) return;
    const begunMs = booter.elapsedMs();
    await repeat(repetition, "measured");
    longestMs = Math.max(longestMs, booter.elapsedMs() - begunMs);
  }
}

function ruleOf(ask: ComparisonAsk, arms: number): Repetitions {
  const { repetitions, vcpus, budgetMs } = ask;
  if (repetitions !== undefined) return { kind: "exactly", count: repetitions };
  const points = vcpus.reduce((sum, size) => sum + ordersOf("time", size, ask).length, 0);
  const least = pairsLeast(points * (arms - 1));
  return { kind: "until-tight", least, most: REPETITIONS_MAX, budgetMs };
}

/** Who waits for which lock, and what the kernels' own checks say: the largest guest tells most. */
async function lookInside({ arms, ask }: ComparisonCourse, booter: Booter): Promise<void> {
  const largest = ask.vcpus.at(-1)!;
  const rounds: { purpose: BootPurpose; vcpus: number; repetition: number }[] = [
    ...Array.from({ length: COUNT_BOOTS }, (_, repetition) => ({
      ...{ purpose: "count" as const, vcpus: largest, repetition },
    })),
    { purpose: "debug", vcpus: debugVcpus(ask.vcpus), repetition: 0 },
  ];
  const turns = rounds.flatMap(({ purpose, vcpus, repetition }) =>
    turnsOf(repetition, [...arms.keys()], [vcpus]).map((turn) => ({
      ...turn,
      ...{ purpose, repetition, role: "measured" as const },
    })),
  );
  for (const [index, turn] of turns.entries()) {
    await booter.boot({ ...turn, share: index / turns.length });
  }
}

function describe(
  name: string,
  { purpose, vcpus, repetition, role }: Omit<BootOf, "arm" | "share">,
): string {
  const what = { time: "timing", count: "counting lock waits of", debug: "checks of" }[purpose];
  const which = role === "warm-up" ? "to warm up" : `repetition ${repetition + 1}`;
  return `${what} ${name}, ${vcpuWords(vcpus)}, ${which}`;
}

function vcpuWords(vcpus: number): string {
  return counted(vcpus, "vCPU");
}
