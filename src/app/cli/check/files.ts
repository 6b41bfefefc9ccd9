import type { SavedSchedule } from "../../../core/check/check.ts";
import { BootstormError, EXIT } from "../../../core/error.ts";
import { DESIGN_BY_NAME } from "../../../core/kernel/design/index.ts";
import { readDesign } from "../../../core/kernel/design/read.ts";
import type { Design } from "../../../core/kernel/design.ts";
import { readWholeFile } from "../../../host/store/read.ts";

/** A design or a schedule is a page of text. */
const FILE_BYTES_MAX = 1 << 20;

/**
 * A design by name, or from a file of the user's.
 * @throws BootstormError NO_SUCH_DESIGN, CANNOT_READ, NOT_JSON or DESIGN_INVALID
 */
export async function designOf(name: string): Promise<Design> {
  const preset = DESIGN_BY_NAME.get(name);
  if (preset !== undefined) return preset;
  if (!name.endsWith(".json")) {
    throw new BootstormError("NO_SUCH_DESIGN", `--design: there is no design ${name}`, {
      why: "it is neither one of ours nor the name of a .json file",
      remedies: [`ours: ${[...DESIGN_BY_NAME.keys()].join(", ")}`],
      exit: EXIT.usage,
    });
  }
  return readDesign(await readJson(name));
}

/**
 * A schedule that `--save` wrote. The file may come from anybody.
 * @throws BootstormError CANNOT_READ, NOT_JSON, DESIGN_INVALID or BAD_SCHEDULE
 */
export async function readSchedule(file: string): Promise<SavedSchedule> {
  const value = (await readJson(file)) as Partial<Record<keyof SavedSchedule, unknown>> | null;
  const bad = (why: string) =>
    new BootstormError("BAD_SCHEDULE", `cannot replay ${file}`, {
      why,
      remedies: ["save one: bootstorm check --design no-cpa-lock --ops ro --save FILE"],
      exit: EXIT.input,
    });
  if (typeof value !== "object" || value === null) throw bad("it is no schedule");
  if (value.version !== 1)
    throw bad(`its version is ${value.version}, this bootstorm reads version 1`);
  const within = (least: number, most: number) => (each: unknown) =>
    Number.isInteger(each) && (each as number) >= least && (each as number) <= most;
  const list = (each: unknown, holds: (item: unknown) => boolean, most: number) =>
    Array.isArray(each) && each.length <= most && each.every(holds);
  const text = (each: unknown) => typeof each === "string";
  const problems = [
    list(value.programs, (program) => list(program, text, 64), 16) ? [] : ["programs"],
    within(1, 64)(value.pages) ? [] : ["pages"],
    within(1, 64)(value.regions) ? [] : ["regions"],
    ["1g", "2m", "4k"].includes(value.start as string) ? [] : ["start"],
    ["none", "hypervisor", "guest-2m"].includes(value.rmp as string) ? [] : ["rmp"],
    ["broadcast", "ipi"].includes(value.flush as string) ? [] : ["flush"],
    within(0, 2)(value.storeBuffer) ? [] : ["storeBuffer"],
    list(value.choices, within(0, 1023), 10_000) ? [] : ["choices"],
    list(value.omit, text, 64) ? [] : ["omit"],
    text(value.law) ? [] : ["law"],
  ].flat();
  if (problems.length > 0) throw bad(`not as --save writes them: ${problems.join(", ")}`);
  return { ...(value as SavedSchedule), design: readDesign(value.design) };
}

async function readJson(file: string): Promise<unknown> {
  const bytes = await readWholeFile(file, {
    bytesMax: FILE_BYTES_MAX,
    remedies: ["name another file"],
  });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new BootstormError("NOT_JSON", `cannot read ${file}`, {
      why: (error as Error).message,
      remedies: ["it must be JSON"],
      exit: EXIT.input,
    });
  }
}
