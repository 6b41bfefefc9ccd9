// What docs/kernel-ab.md and the texts of the patches say was measured is what the recorded run says: it
// is read again here and compared. UPDATE_GOLDEN=1 rewrites both.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { threeDigits } from "../../src/core/units.ts";
import { bootstorm, checkout, schemaErrors } from "./bootstorm.ts";

const RUN = join(checkout, "test/fixtures/kernel-ab-run");
const PAGE = join(checkout, "docs/kernel-ab.md");
const PATCHES = ["no-cpa-lock", "skip-for-present", "per-pmd-lock", "split-mark"];

let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), "bootstorm-kernel-ab-docs-"));
});
afterAll(() => rmSync(out, { recursive: true }));

function told(...flags: string[]): string {
  const asked = ["kernel-ab", "--from", RUN, "--out", out, "--quiet", ...flags];
  const { status, stdout, stderr } = bootstorm(asked, { cwd: out });
  expect(status, stderr).toBe(0);
  return stdout;
}

/** Compares the second group of what matches with what it should be. */
function requireInStep(file: string, place: RegExp, wanted: string): void {
  const text = readFileSync(file, "utf8");
  const [, , found] = place.exec(text) ?? [];
  expect(found, `${file} has its place for it`).toBeDefined();
  if (process.env.UPDATE_GOLDEN === "1") {
    const rewrite = (_: string, before: string, __: string, after: string) =>
      before + wanted + after;
    writeFileSync(file, text.replace(place, rewrite));
  } else {
    expect(found, "if rightly so, UPDATE_GOLDEN=1 rewrites it").toBe(wanted);
  }
}

test("the page shows the report of the recorded run, up to the race", () => {
  const [upToRace] = told().split(/\nThe race in |\nEvery point\n/);
  const block = `\n\`\`\`text\n${upToRace!.trimEnd()}\n…\n\`\`\`\n\n`;
  const place = /(<!-- report: [^\n]*-->\n)([\s\S]*?)(<!-- end of report -->)/;
  requireInStep(PAGE, place, block);
});

test("every patch says what was measured of it; and the run's JSON keeps the schema", () => {
  const document = JSON.parse(told("--json"));
  expect(schemaErrors("kernel-ab", document)).toEqual([]);
  const { arms, comparisons } = document.result;
  for (const patch of PATCHES) {
    const arm = arms.findIndex(({ name }: { name: string }) => name === patch);
    const lines = ["toggle", "split"].map((load) => {
      const { speedUp, verdict } = comparisons.find(
        (each: { arm: number; load: string; vcpus: number; threads: number }) =>
          each.arm === arm && each.load === load && each.vcpus === 4 && each.threads === 4,
      );
      const [value, low, high] = [speedUp.value, speedUp.low, speedUp.high].map(threeDigits);
      const found = verdict === "no-difference" ? ", no difference found" : "";
      return `  ${load.padEnd(7)} ${value} (${low} to ${high})${found}\n`;
    });
    const place = /(\nThroughput over that of .*:\n\n)((?: {2}.*\n)+)(\n--- a\/)/;
    requireInStep(join(checkout, `kernel/patches/${patch}.patch`), place, lines.join(""));
  }
});
