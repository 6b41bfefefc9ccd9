// The kernels that are compared: what was named, and which images there are for it.
import { InvalidArgumentError } from "commander";
import { BootstormError, EXIT } from "../../../core/error.ts";
import type { ArmDesign, BootPurpose, KernelArm } from "../../../core/event/kernel-run.ts";
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import { findKernel, type KernelImage } from "../../../host/guest/kernel-image.ts";
import type { Cache } from "../../../host/store/cache.ts";
import type { Session } from "../run.ts";
import { BUILD_COMMAND, buildKernels, findBuiltKernels } from "./kernel-script.ts";
import { withoutScenario } from "./remedies.ts";

/** An arm as it stands on the command line: `stock,debug_pagealloc=on`. */
export interface ArmWords {
  readonly text: string;
  /** A name of scripts/build-kernels.sh, or a path: that has a `/`. */
  readonly kernel: string;
  readonly words: readonly string[];
}

/** An arm, and the files that QEMU is given for it. */
export interface Arm {
  readonly arm: KernelArm;
  readonly boots: Readonly<Partial<Record<BootPurpose, KernelImage>>>;
}

export interface ArmsAsk {
  readonly arms: readonly ArmWords[];
  readonly purposes: readonly BootPurpose[];
  /** In the order of the arms; undefined: as the name says. */
  readonly designs: readonly string[] | undefined;
  readonly build: boolean;
  readonly cache: Cache;
}

/** Behind the name of a patch. */
const CONFIG_OF = {
  count: "+lock-stat",
  debug: "+debug",
} as const;

/** What the kernel's command line and its init can take, and what ours does not use itself. */
const WORD = /^(?!bootstorm\.)[!-~]+$/;

/** It is the arm's name too, which the format of boots bounds. */
const TEXT_CHARS_MAX = 240;

/** A commander parser for arms. */
export function armWords(text: string, before: readonly ArmWords[] = []): readonly ArmWords[] {
  const [kernel = "", ...words] = text.split(",");
  const bad = [kernel, ...words].find((word) => !WORD.test(word));
  const isShort = text.length <= TEXT_CHARS_MAX;
  if (isShort && bad === undefined && /^(?:.*\/.+|[a-z][a-z0-9+-]*)$/.test(kernel)) {
    return [...before, { text, kernel, words }];
  }
  throw new InvalidArgumentError(
    `'${text}' is no KERNEL[,WORD…]: a name such as stock or a path with a /, and words for its ` +
      "command line.",
  );
}

/**
 * Finds the images, and builds them first where that is wanted.
 * @throws BootstormError KERNELS_NOT_BUILT, UNKNOWN_DESIGN, and as findBuiltKernels, buildKernels and
 * findKernel
 */
export async function findArms(ask: ArmsAsk, session: Session): Promise<readonly Arm[]> {
  const named = ask.arms.filter(isNamed);
  const names = named.flatMap((arm) => ask.purposes.map((purpose) => nameOf(arm, purpose)));
  const built = await builtImages([...new Set(names)], ask, session);
  requireBuilt(named.map(({ kernel }) => kernel).filter((name) => !built.has(name)));
  const known = new Map<string, KernelImage>();
  const arms: Arm[] = [];
  for (const [index, words] of ask.arms.entries()) {
    const { boots, lacks } = await imagesOf(words, ask.purposes, built, imageAt);
    const design = designOf(words, ask.designs?.[index]);
    arms.push({
      boots,
      arm: {
        name: uniqueName(words.text, ask.arms.slice(0, index)),
        words: words.words,
        images: Object.fromEntries(Object.entries(boots).map(armImage)),
        lacks,
        ...(design === undefined ? {} : { design }),
      },
    });
  }
  return arms;

  async function imageAt(path: string): Promise<KernelImage> {
    const { signal } = session;
    const options = { as: "pvh", cache: ask.cache, signal } as const;
    const image =
      known.get(path) ?? (await findKernel(path, options).catch(withoutScenario(NAME_ANOTHER)));
    known.set(path, image);
    return image;
  }
}

const NAME_ANOTHER = "name a vmlinux or bzImage for x86-64, or a kernel that is built by its name";

/** What the arm boots for each purpose, or why it does not. */
async function imagesOf(
  arm: ArmWords,
  purposes: readonly BootPurpose[],
  built: ReadonlyMap<string, string>,
  imageAt: (path: string) => Promise<KernelImage>,
): Promise<{ readonly boots: Arm["boots"]; readonly lacks: KernelArm["lacks"] }> {
  const boots: Partial<Record<BootPurpose, KernelImage>> = {};
  const lacks: Partial<Record<BootPurpose, string>> = {};
  for (const purpose of purposes) {
    const path = isNamed(arm) ? built.get(nameOf(arm, purpose)) : arm.kernel;
    if (path === undefined) {
      lacks[purpose] = `not built; to build it: ${BUILD_COMMAND} ${nameOf(arm, purpose)}`;
    } else if (purpose === "time" || isNamed(arm)) {
      boots[purpose] = await imageAt(path);
    } else {
      lacks[purpose] = `${arm.kernel} is one image, and this takes another with ${NEEDS[purpose]}`;
    }
  }
  return { boots, lacks };
}

/** As scripts/build-kernels.sh has it. */
function nameOf({ kernel }: ArmWords, purpose: BootPurpose): string {
  return purpose === "time" ? kernel : `${patchOf(kernel)}${CONFIG_OF[purpose]}`;
}

/** `no-cpa-lock+debug` → `no-cpa-lock` */
function patchOf(kernel: string): string {
  return kernel.replace(/\+.*/, "");
}

function armImage([purpose, { source, sha256 }]: [string, KernelImage]) {
  return [purpose, { path: source, sha256 }] as const;
}

const NEEDS = {
  count: "lock statistics (CONFIG_LOCK_STAT)",
  debug: "the kernel's own checks (CONFIG_PROVE_LOCKING)",
} as const;

function isNamed({ kernel }: ArmWords): boolean {
  return !kernel.includes("/");
}

async function builtImages(
  names: readonly string[],
  { build }: ArmsAsk,
  session: Session,
): Promise<ReadonlyMap<string, string>> {
  if (names.length === 0) return new Map();
  const built = await findBuiltKernels(names, session);
  const missing = names.filter((name) => !built.has(name));
  if (!build || missing.length === 0) return built;
  await buildKernels(missing, session);
  return findBuiltKernels(names, session);
}

function requireBuilt(missing: readonly string[]): void {
  if (missing.length === 0) return;
  const all = [...new Set(missing)].join(" ");
  throw new BootstormError("KERNELS_NOT_BUILT", `not built: ${all}`, {
    why: "a kernel is built once, in 3 to 4 minutes of CPU time; each further patch takes seconds",
    remedies: [
      `${BUILD_COMMAND} ${all}`,
      "--build builds what is missing, with lock statistics and checks too",
      "or name a vmlinux or bzImage by its path, such as ./vmlinux",
    ],
    exit: EXIT.host,
  });
}

/** The same kernel twice is a comparison too: one that must show no difference. */
function uniqueName(text: string, before: readonly ArmWords[]): string {
  const same = before.filter((arm) => arm.text === text).length;
  return same === 0 ? text : `${text}#${same + 1}`;
}

/** The unchanged kernel has the locks of Linux 4.20; a patch has the name of its design. */
const STOCK_DESIGN = "linux-4.20";
/**
 * Up to 7.2 the kernel takes no cpa_lock then, as its direct map has no large entry.
 * Source: __change_page_attr_set_clr(), arch/x86/mm/pat/set_memory.c
 */
const DEBUG_PAGEALLOC = "debug_pagealloc=on";

/** @throws BootstormError UNKNOWN_DESIGN */
function designOf({ kernel, words }: ArmWords, given: string | undefined): ArmDesign | undefined {
  const start = words.includes(DEBUG_PAGEALLOC) ? "4k" : "2m";
  if (given !== undefined) {
    if (given === NO_DESIGN) return undefined;
    if (DESIGN_BY_NAME.has(given)) return { name: given, start };
    throw new BootstormError("UNKNOWN_DESIGN", `--design: there is no design ${given}`, {
      why: "bootstorm check knows no such lock design",
      remedies: [`one of: ${[...DESIGN_BY_NAME.keys()].join(", ")}; or ${NO_DESIGN} for none`],
      exit: EXIT.usage,
    });
  }
  const patch = patchOf(kernel);
  if (patch === "stock") {
    return start === "4k" ? { name: "no-cpa-lock", start } : { name: STOCK_DESIGN, start };
  }
  // With both, it is neither the patch nor the kernel without it.
  if (start === "4k" || !DESIGN_BY_NAME.has(patch)) return undefined;
  return { name: patch, start };
}

/** Of `--design`: this arm stands for none. */
const NO_DESIGN = "none";
