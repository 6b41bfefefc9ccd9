import { BootstormError, EXIT } from "../error.ts";
import { problemsOf } from "../kernel/design/read.ts";
import type { Design } from "../kernel/design.ts";
import type { TlbRule } from "../kernel/law.ts";
import { REQUESTS, type Request } from "../kernel/request.ts";
import type { InstanceSetup } from "./instance.ts";

/** What is asked of a design. Every assumption that can change the answer is a field. */
export interface Question {
  readonly design: Design;
  /** A name of OPERATION_SETS, or requests: `ro rw, nx` is CPU 0, CPU 1, and so on in turn. */
  readonly operations: string;
  readonly cpus: number;
  /** 4 KiB pages. Absent: as the operations say, one for each CPU or one for all. */
  readonly pages?: number;
  /** 2 MiB regions; page i lies in region i % regions. */
  readonly regions: number;
  /** Entries at the start; absent: as the operations say, mostly 2 MiB. */
  readonly start?: "1g" | "2m" | "4k";
  /** Which two translations of one address are an error. */
  readonly tlbRule: TlbRule;
  readonly memoryModel: "sc" | "tso";
  /** One step for all CPUs, or an IPI to each CPU, with a TLB for each. */
  readonly flush: "broadcast" | "ipi";
  /** Labels of kernel steps to leave out, to see that they are missed. */
  readonly omit?: readonly string[];
}

/** The questions of the verdict table, in the words of its columns. */
export interface OperationSet {
  readonly name: string;
  readonly title: string;
  /** What CPU i does is programs[i % length]. */
  readonly programs: readonly string[];
  readonly pages: "own" | "same";
  readonly start: "2m" | "4k";
  readonly rmp: "none" | "hypervisor" | "guest-2m";
}

const set = (
  name: string,
  title: string,
  programs: readonly string[],
  more: Partial<OperationSet> = {},
): OperationSet => ({ name, title, programs, pages: "own", start: "2m", rmp: "none", ...more });

export const OPERATION_SETS: readonly OperationSet[] = [
  set("set_direct_map", "present to not-present and back (SNP 2022, secretmem)", [
    "invalid default",
  ]),
  set("ro", "read-write to read-only", ["ro"]),
  set("memory-type", "write-back to uncached", ["uc"]),
  set("collapse", "set_memory_rox by all, which collapses where the kernel can", ["rox"]),
  set("same-page", "two attributes of one page", ["ro", "x", "uc"], { pages: "same" }),
  set(
    "collapse-writer",
    "one collapses a split range while others make pages read-only",
    ["ro collapse", "ro"],
    { start: "4k" },
  ),
  set(
    "collapse-np",
    "one collapses a split range while others make pages not-present and back",
    ["collapse", "invalid default"],
    { start: "4k" },
  ),
  set("4k", "set_memory_4k", ["4k"]),
  set(
    "psc-2022",
    "page state change, host of 2022: unmap, RMPUPDATE, map",
    ["private-2022 shared-2022"],
    { rmp: "hypervisor" },
  ),
  set(
    "psc-6.9",
    "page state change, host of 6.9: split once, RMPUPDATE",
    ["private-6.9 shared-6.9"],
    { rmp: "hypervisor" },
  ),
  set("psmash", "page state change below a 2M RMP entry of the guest", ["shared-6.9 private-6.9"], {
    rmp: "guest-2m",
  }),
  set("fork", "read-only changes while others fork: pgd_lock, and IPIs with interrupts off", [
    "ro",
    "fork",
  ]),
  set("large-in-place", "a whole 2M read-only while others split it (overlapping callers)", [
    "ro-2m",
    "x",
  ]),
];

/** The columns of the verdict table. */
export const TABLE_OPERATIONS = ["set_direct_map", "ro", "memory-type", "collapse", "same-page"];

/** The most CPUs that fit a state. */
export const CPUS_MAX = 16;

/** The operations of a question: a set of the table, or requests spelled out. */
export function operationSetOf(operations: string): OperationSet {
  const known = OPERATION_SETS.find((s) => s.name === operations);
  if (known !== undefined) return known;
  const programs = operations.split(",").map((text) => text.trim().split(/\s+/).join(" "));
  const rmp = operations.includes("private") || operations.includes("shared");
  return set(operations, operations, programs, { rmp: rmp ? "hypervisor" : "none" });
}

/**
 * What is to be explored.
 * @throws BootstormError with every problem of the question
 */
export function setupOf(question: Question): InstanceSetup {
  const operations = operationSetOf(question.operations);
  const problems: string[] = problemsOf(question.design).map((p) => `design: ${p}`);
  const programs = operations.programs.map((text) => parseProgram(text, problems));
  const { cpus, regions } = question;
  const pages = question.pages ?? (operations.pages === "own" ? cpus : 1);
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > CPUS_MAX) {
    problems.push(`cpus: ${cpus} is not in 1..${CPUS_MAX}`);
  }
  if (!Number.isInteger(pages) || pages < 1 || pages > 64) {
    problems.push(`pages: ${pages} is not in 1..64`);
  }
  if (!Number.isInteger(regions) || regions < 1 || regions > pages) {
    problems.push(`regions: ${regions} is not in 1..pages (${pages})`);
  }
  if (question.flush === "ipi" && cpus > 4) {
    problems.push(`cpus: ${cpus} is too many with flush "ipi" (a TLB for each CPU), at most 4`);
  }
  const collapses = programs.some((p) => p.some((r) => r.collapse));
  if (question.memoryModel === "tso") {
    if (collapses && question.design.collapse !== "none") {
      problems.push("memoryModel: x86-TSO is not modelled together with collapse");
    }
    if (question.flush === "ipi") problems.push('memoryModel: x86-TSO needs flush "broadcast"');
  }
  if (problems.length > 0) throw badQuestion(problems);
  return {
    design: question.design,
    // Equal programs side by side: CPUs of one class.
    programs: programs.flatMap((program, i) =>
      Array.from({ length: Math.ceil((cpus - i) / programs.length) }, () => program),
    ),
    pages,
    regions,
    start: question.start ?? operations.start,
    rmp: operations.rmp,
    flush: question.flush,
    storeBuffer: question.memoryModel === "tso" ? 2 : 0,
    ...(question.omit === undefined ? {} : { omit: question.omit }),
  };
}

/** `ro rw` → its requests; unknown names are added to `problems`. */
export function parseProgram(text: string, problems: string[]): readonly Request[] {
  return text
    .split(" ")
    .filter((name) => name !== "")
    .flatMap((name) => {
      const request = REQUESTS.get(name);
      if (request !== undefined) return [request];
      problems.push(`operations: no request "${name}"`);
      return [];
    });
}

export function badQuestion(problems: readonly string[]): BootstormError {
  return new BootstormError("CHECK_QUESTION", problems.join("\n  "), {
    why: "the question cannot be put to the model",
    remedies: [
      `operations: ${OPERATION_SETS.map((s) => s.name).join(", ")}`,
      `or requests for each CPU, such as "ro rw, nx": ${[...REQUESTS.keys()].join(" ")}`,
    ],
    exit: EXIT.usage,
  });
}
