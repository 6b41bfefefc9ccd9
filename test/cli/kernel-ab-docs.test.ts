// The report in docs/kernel-ab.md is that of a recorded run: it is made again here and compared.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootstorm, checkout, schemaErrors } from "./bootstorm.ts";

const RUN = join(checkout, "test/fixtures/kernel-ab-run");
const PAGE = join(checkout, "docs/kernel-ab.md");
const BLOCK = /(<!-- report: [^\n]*-->\n)([\s\S]*?)(<!-- end of report -->)/;

test.skipIf(!existsSync(RUN))(
  "the report, up to the race; and its JSON keeps the schema",
  () => {
    const out = mkdtempSync(join(tmpdir(), "bootstorm-kernel-ab-docs-"));
    try {
      const asked = ["kernel-ab", "--from", RUN, "--out", out, "--quiet"];
      const { status, stdout, stderr } = bootstorm(asked, { cwd: out });
      expect(status, stderr).toBe(0);
      const [told] = stdout.split(/\nThe race in |\nEvery point\n/);
      const made = `\n\`\`\`text\n${told!.trimEnd()}\n…\n\`\`\`\n\n`;
      const text = readFileSync(PAGE, "utf8");
      const [, begin, block] = BLOCK.exec(text) ?? [];
      expect(begin, "the page has its place for the report").toBeDefined();
      if (process.env.UPDATE_GOLDEN === "1") {
        writeFileSync(
          PAGE,
          text.replace(BLOCK, (_, first: string, __, last: string) => `${first}${made}${last}`),
        );
      } else {
        expect(made, "if rightly so, UPDATE_GOLDEN=1 rewrites it").toBe(block);
      }
      const json = bootstorm([...asked, "--json"], { cwd: out });
      expect(schemaErrors("kernel-ab", JSON.parse(json.stdout))).toEqual([]);
    } finally {
      rmSync(out, { recursive: true });
    }
  },
  120_000,
);
