// The file format of boots of compared kernels, `boots.jsonl`, version 1: a line of JSON that names the
// format, then one KernelBoot a line, written when the boot is over. What is known of the run before
// its first boot has a file of its own; `kernelRunOf` reads that part of it.
//
//   {"format":"bootstorm kernel boots","version":1}
//   {"arm":0,"purpose":"time","vcpus":4,"repetition":0,"role":"measured","startedMs":0,…}
import {
  cutTail,
  roundLoadOf,
  TAIL_CHARS_MAX,
  TAIL_LINES_MAX,
  WHY_CHARS_MAX,
} from "./boot-codec.ts";
import {
  amountOf,
  boundedText,
  countOf,
  type Fields,
  flagOf,
  listOf,
  oneOf,
  optional,
  positiveOf,
  recordOf,
  textOf,
  textsOf,
  Unreadable,
} from "./json-fields.ts";
import { headerLine, type LineFormat, readJsonLines, valueLine } from "./json-lines.ts";
import {
  type ArmImage,
  BOOT_PURPOSES,
  type BootPurpose,
  GUEST_LOADS,
  KERNEL_BOOT_OUTCOMES,
  type KernelArm,
  type KernelBoot,
  type KernelRun,
  type LoadLatency,
  type LoadOrder,
  type LoadResult,
  type LockCount,
  type Measurement,
} from "./kernel-run.ts";

export const KERNEL_BOOTS_VERSION = 1;

const BOOTS: LineFormat<KernelBoot> = {
  format: "bootstorm kernel boots",
  version: KERNEL_BOOTS_VERSION,
  what: "kernel boots",
  parse: parseBoot,
};

// What is larger is damaged or hostile: far above what a run writes, and small enough to hold.
const NAME_CHARS_MAX = 256;
const PATH_CHARS_MAX = 4_096;
const ARMS_MAX = 64;
const WORDS_MAX = 64;
const SIZES_MAX = 64;
const MEASUREMENTS_MAX = 256;
const COMPLAINTS_MAX = 100;
const LOCKS_MAX = 8_192;
const WAITERS_MAX = 16;

export interface ReadKernelBoots {
  readonly boots: readonly KernelBoot[];
  /** Lines that were not used, by reason. */
  readonly rejects: readonly { readonly why: string; readonly count: number }[];
}

/** The first line of the file, with its newline. */
export function kernelBootsHeaderLine(): string {
  return headerLine(BOOTS);
}

/**
 * A boot as a line with its newline; `readKernelBoots` gives an equal one back. Reasons and console
 * tails longer than the format allows are cut.
 */
export function kernelBootLine(boot: KernelBoot): string {
  return valueLine(BOOTS, {
    ...boot,
    ...(boot.why === undefined ? {} : { why: boot.why.slice(0, WHY_CHARS_MAX) }),
    ...(boot.consoleTail === undefined ? {} : { consoleTail: cutTail(boot.consoleTail) }),
  });
}

/**
 * Reads a file of boots. The bytes may come from anybody: every field is checked and bounded, so that
 * a boot that was read can be used without further checks. A line that is no boot is counted, and so is
 * what a killed run left of its last line.
 * @param arms  how many the run has: a boot of another one is none
 * @throws BootstormError BAD_KERNEL_BOOTS when the file is none of ours, NEWER_KERNEL_BOOTS when a
 *   later bootstorm wrote it
 */
export function readKernelBoots(bytes: Uint8Array, arms: number): ReadKernelBoots {
  const format = {
    ...BOOTS,
    parse: (value: unknown) => {
      const boot = parseBoot(value);
      if (boot.arm >= arms) throw new Unreadable("arm: the run has no such one");
      return boot;
    },
  };
  const { values, rejects } = readJsonLines(format, bytes);
  return { boots: values, rejects };
}

/**
 * What is known of a run, from JSON of anybody; checked and bounded as boots are.
 * @throws Unreadable, with what is wrong as its message
 */
export function kernelRunOf(value: unknown): KernelRun {
  const fields = recordOf(value, "the run");
  const arms = someOf(fields, "arms", ARMS_MAX).map(parseArm);
  if (new Set(arms.map(({ name }) => name)).size < arms.length) {
    throw new Unreadable("arms: two of the same name");
  }
  return {
    arms,
    vcpus: someOf(fields, "vcpus", SIZES_MAX).map((vcpus) => positiveOf({ vcpus }, "vcpus")),
    seed: countOf(fields, "seed"),
    accelerator: oneOf(fields, "accelerator", ["kvm", "tcg"] as const),
    cpuModel: textOf(fields, "cpuModel", NAME_CHARS_MAX),
    qemu: textOf(fields, "qemu", NAME_CHARS_MAX),
    hostCpus: positiveOf(fields, "hostCpus"),
    hostCpuModel: textOf(fields, "hostCpuModel", NAME_CHARS_MAX),
    hostKernel: textOf(fields, "hostKernel", NAME_CHARS_MAX),
    at: textOf(fields, "at", NAME_CHARS_MAX),
  };
}

function parseArm(value: unknown): KernelArm {
  const fields = recordOf(value, "arms");
  return {
    name: textOf(fields, "name", NAME_CHARS_MAX),
    words: textsOf(fields, "words", WORDS_MAX, NAME_CHARS_MAX),
    images: byPurpose(fields, "images", parseImage),
    lacks: byPurpose(fields, "lacks", (why) => boundedText(why, "lacks", WHY_CHARS_MAX)),
    ...optional(fields, "design", () => {
      const design = recordOf(fields.design, "design");
      return {
        name: textOf(design, "name", NAME_CHARS_MAX),
        start: oneOf(design, "start", ["2m", "4k"] as const),
      };
    }),
  };
}

function parseImage(value: unknown): ArmImage {
  const fields = recordOf(value, "images");
  const sha256 = textOf(fields, "sha256", 64);
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Unreadable("sha256: not 64 hex digits");
  return { path: textOf(fields, "path", PATH_CHARS_MAX), sha256 };
}

function byPurpose<Value>(
  fields: Fields,
  key: string,
  parse: (value: unknown) => Value,
): Readonly<Partial<Record<BootPurpose, Value>>> {
  const values = recordOf(fields[key], key);
  const known: Partial<Record<BootPurpose, Value>> = {};
  for (const purpose of BOOT_PURPOSES) {
    if (values[purpose] !== undefined) known[purpose] = parse(values[purpose]);
  }
  return known;
}

function parseBoot(value: unknown): KernelBoot {
  const fields = recordOf(value, "the boot");
  return {
    arm: countOf(fields, "arm"),
    purpose: oneOf(fields, "purpose", BOOT_PURPOSES),
    vcpus: positiveOf(fields, "vcpus"),
    repetition: countOf(fields, "repetition"),
    role: oneOf(fields, "role", ["warm-up", "measured"] as const),
    startedMs: amountOf(fields, "startedMs"),
    elapsedMs: amountOf(fields, "elapsedMs"),
    outcome: oneOf(fields, "outcome", KERNEL_BOOT_OUTCOMES),
    ...optional(fields, "why", (key) => textOf(fields, key, WHY_CHARS_MAX)),
    ...optional(fields, "consoleTail", (key) =>
      textsOf(fields, key, TAIL_LINES_MAX, TAIL_CHARS_MAX),
    ),
    ...optional(fields, "release", (key) => textOf(fields, key, NAME_CHARS_MAX)),
    measurements: listOf(fields, "measurements", MEASUREMENTS_MAX).map(parseMeasurement),
    complaints: textsOf(fields, "complaints", COMPLAINTS_MAX, TAIL_CHARS_MAX),
    load: roundLoadOf(fields.load),
  };
}

function parseMeasurement(value: unknown): Measurement {
  const fields = recordOf(value, "measurements");
  const order = parseOrder(fields.order);
  if (fields.failed !== undefined) {
    return { order, failed: textOf(fields, "failed", WHY_CHARS_MAX) };
  }
  return {
    order,
    result: parseResult(fields.result),
    ...optional(fields, "locks", (key) => listOf(fields, key, LOCKS_MAX).map(parseLock)),
  };
}

function parseOrder(value: unknown): LoadOrder {
  const fields = recordOf(value, "order");
  return {
    load: oneOf(fields, "load", GUEST_LOADS),
    threads: positiveOf(fields, "threads"),
    ops: positiveOf(fields, "ops"),
    warmUp: countOf(fields, "warmUp"),
    limitMs: positiveOf(fields, "limitMs"),
  };
}

function parseResult(value: unknown): LoadResult {
  const fields = recordOf(value, "result");
  const count = (key: "attributeChanges" | "wrongEntries" | "wrongAccesses") =>
    optional(fields, key, () => countOf(fields, key));
  return {
    spinlock: oneOf(fields, "spinlock", ["test-and-set", "queued"] as const),
    debugPagealloc: flagOf(fields, "debugPagealloc"),
    ops: positiveOf(fields, "ops"),
    opsAsked: positiveOf(fields, "opsAsked"),
    opsFailed: countOf(fields, "opsFailed"),
    splits: countOf(fields, "splits"),
    elapsedNs: positiveOf(fields, "elapsedNs"),
    latencyNs: parseLatency(fields.latencyNs),
    ...count("attributeChanges"),
    ...count("wrongEntries"),
    ...count("wrongAccesses"),
  };
}

function parseLatency(value: unknown): LoadLatency {
  const fields = recordOf(value, "latencyNs");
  return {
    mean: amountOf(fields, "mean"),
    p50: amountOf(fields, "p50"),
    p90: amountOf(fields, "p90"),
    p99: amountOf(fields, "p99"),
    max: amountOf(fields, "max"),
  };
}

function parseLock(value: unknown): LockCount {
  const fields = recordOf(value, "locks");
  return {
    name: textOf(fields, "name", NAME_CHARS_MAX),
    acquired: countOf(fields, "acquired"),
    contended: countOf(fields, "contended"),
    waitNsTotal: amountOf(fields, "waitNsTotal"),
    waitNsMax: amountOf(fields, "waitNsMax"),
    holdNsTotal: amountOf(fields, "holdNsTotal"),
    waiters: listOf(fields, "waiters", WAITERS_MAX).map((each) => {
      const waiter = recordOf(each, "waiters");
      return {
        fn: textOf(waiter, "fn", NAME_CHARS_MAX),
        contended: countOf(waiter, "contended"),
      };
    }),
  };
}

/** A list with at least one member: without one there is nothing to compare. */
function someOf(fields: Fields, key: string, max: number): readonly unknown[] {
  const list = listOf(fields, key, max);
  if (list.length === 0) throw new Unreadable(`${key}: none`);
  return list;
}
