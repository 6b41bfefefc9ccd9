// The tables of docs/check.md are the checker's own words: each is made again here and compared.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { checkDesign, type Verdict, verdictTable } from "../../src/core/check/check.ts";
import { OPERATION_SETS, type Question, TABLE_OPERATIONS } from "../../src/core/check/question.ts";
import { type RemovalRow, removalTable } from "../../src/core/check/removal.ts";
import { DESIGNS } from "../../src/core/kernel/design/index.ts";
import type { Design } from "../../src/core/kernel/design.ts";
import { LAWS } from "../../src/core/kernel/law.ts";

const PAGE = fileURLToPath(new URL("../../docs/check.md", import.meta.url));

const asked: Omit<Question, "design" | "operations" | "cpus"> = {
  regions: 1,
  tlbRule: "note-2007",
  memoryModel: "sc",
  flush: "broadcast",
};

/** Those that keep to the contract of asm/set_memory.h, and the two that look for collapse. */
const CONTRACT = TABLE_OPERATIONS.filter((o) => o !== "same-page");
const COLLAPSE = ["collapse-writer", "collapse-np"];

/**
 * The page has this table between `<!-- name: … -->` and `<!-- end of name -->`. UPDATE_GOLDEN=1
 * writes it there instead; the diff is then reviewed.
 */
function expectTable(name: string, rows: readonly (readonly string[])[]): void {
  const text = readFileSync(PAGE, "utf8");
  const pattern = new RegExp(`(<!-- ${name}: [^\\n]*-->\\n)([^]*?)(<!-- end of ${name} -->)`);
  const [, begin, table, end] = pattern.exec(text) ?? [];
  if (begin === undefined) throw new Error(`${PAGE} has no table "${name}"`);
  const [head, ...body] = rows.map((cells) => `| ${cells.join(" | ")} |`);
  const rule = `|${rows[0]!.map(() => "---").join("|")}|`;
  const made = `${[head, rule, ...body].join("\n")}\n`;
  if (process.env.UPDATE_GOLDEN === "1") {
    writeFileSync(
      PAGE,
      text.replace(pattern, () => `${begin}${made}${end}`),
    );
    return;
  }
  expect(made, `${name} in docs/check.md; if rightly so, UPDATE_GOLDEN=1 rewrites it`).toBe(table);
}

it("the verdicts, designs by operations, 4 CPUs", () => {
  const verdicts = DESIGNS.map((design) => [
    `\`${design.name}\``,
    ...verdictTable([design], TABLE_OPERATIONS, { ...asked, cpus: 4 }).map(verdictCell),
  ]);
  const head = TABLE_OPERATIONS.map((name) => {
    const { title } = OPERATION_SETS.find((set) => set.name === name)!;
    return `\`${name}\`: ${title}`;
  });
  expectTable("verdicts", [["design", ...head], ...verdicts]);
});

function verdictCell({ counterexample, states, verdict }: Verdict): string {
  if (counterexample === undefined) return `${verdict}, ${states}`;
  return `**${counterexample.law.id}**, ${counterexample.replay.steps.length} steps`;
}

it("what takes what away: each lock, flush and second look of each safe design, 2 and 3 CPUs", () => {
  const operations = [...TABLE_OPERATIONS, ...COLLAPSE];
  const rows = (cpus: number) =>
    DESIGNS.filter(isSafe).flatMap((design) =>
      removalTable(design, operations, { ...asked, cpus }).map(removalCells),
    );
  const two = rows(2);
  expect(rows(3)).toEqual(two);
  expectTable("removals", [["design", "without", "result"], ...two]);
});

function isSafe(design: Design): boolean {
  return [...CONTRACT, ...COLLAPSE].every(
    (operations) => checkDesign({ ...asked, design, operations, cpus: 3 }).verdict === "safe",
  );
}

function removalCells(row: RemovalRow): string[] {
  const covered = row.coveredBy.length > 0 ? `: ${row.coveredBy.join(", ")} covers` : "";
  const caught = row.law && `: ${row.law.id}, ${row.operations}, ${row.steps} steps`;
  return [row.design, row.what, `${row.outcome}${caught ?? covered}`];
}

it("the laws", () => {
  const rows = LAWS.map(({ id, grade, title, source }) => [id, grade, title, source]);
  expectTable("laws", [["law", "grade", "what must never be", "source"], ...rows]);
});
