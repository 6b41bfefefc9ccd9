// The folder kernel/: its patches and configurations against Debian's source. Nothing is compiled
// here: scripts/build-kernels.sh does that, in minutes.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verdictTable } from "../../src/core/check/check.ts";
import { TABLE_OPERATIONS } from "../../src/core/check/question.ts";
import { DESIGN_BY_NAME } from "../../src/core/kernel/design/index.ts";
import { needs } from "../needs.ts";

const KERNEL = fileURLToPath(new URL("../../kernel/", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../../scripts/build-kernels.sh", import.meta.url));
const SOURCE = "/usr/src/linux-source-6.12.tar.xz";

const patches = namesIn("patches", ".patch");
const configs = namesIn("config", ".config");

/** Configuring needs Kconfig files and scripts, patching these folders. */
const MEMBERS = ["Kconfig*", "*/scripts", "linux-*/Makefile", "linux-*/arch/x86/Makefile*"];

function sourceNeeds(): string | undefined {
  const programs = ["make", "gcc", "flex", "bison", "patch", "xz"] as const;
  return needs(
    `file ${SOURCE}`,
    "file /usr/include/libelf.h",
    ...programs.map((name) => `program ${name}` as const),
  );
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  if (sourceNeeds() !== undefined) return;
  const members = ["--wildcards", "--no-anchored", ...MEMBERS, "linux-*/arch/x86/mm"];
  run("tar", ["-xJf", SOURCE, "-C", folder, "--strip-components", "1", ...members]);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("every patch is a design of the checker, and says of it what the checker says", () => {
  const asked = {
    regions: 1,
    tlbRule: "note-2007",
    memoryModel: "sc",
    flush: "broadcast",
  } as const;
  for (const name of patches) {
    const design = DESIGN_BY_NAME.get(name);
    expect(design, `kernel/patches/${name}.patch`).toBeDefined();
    const verdicts = verdictTable([design!], TABLE_OPERATIONS, { ...asked, cpus: 4 });
    const said = verdicts.map(({ verdict, counterexample }, i) => {
      const law = counterexample?.law.id.replace(/-.*/, "");
      const cell = law === undefined ? verdict : `✗ ${law} ${counterexample!.replay.steps.length}`;
      return `  ${TABLE_OPERATIONS[i]!.padEnd(14)}  ${cell}`;
    });
    expect(readFileSync(`${KERNEL}patches/${name}.patch`, "utf8")).toContain(
      `Design of \`bootstorm check\`: ${name}. Its verdicts for 4 CPUs:\n\n${said.join("\n")}\n`,
    );
  }
});

test("every patch applies to the source as it is", (ctx) => {
  const missing = sourceNeeds();
  if (missing) return ctx.skip(missing);
  for (const name of patches) {
    const file = `${KERNEL}patches/${name}.patch`;
    const dry = ["--dry-run", "--fuzz", "0", "--silent", "--force"];
    expect(run("patch", ["-d", folder, "-p1", ...dry, "-i", file]), name).toBe("");
  }
});

test("Kconfig takes every option of every configuration", (ctx) => {
  const missing = sourceNeeds();
  if (missing) return ctx.skip(missing);
  const base = readFileSync(`${KERNEL}config/base.config`, "utf8");
  for (const name of configs) {
    const own = name === "base" ? "" : readFileSync(`${KERNEL}config/${name}.config`, "utf8");
    const wanted = (base + own).split("\n").filter((line) => line.startsWith("CONFIG_"));
    const wantedFile = join(folder, "wanted.config");
    writeFileSync(wantedFile, `${wanted.join("\n")}\n`);
    const out = join(folder, "out");
    run("make", [
      "-s",
      "-C",
      folder,
      `O=${out}`,
      "ARCH=x86_64",
      `KCONFIG_ALLCONFIG=${wantedFile}`,
      "allnoconfig",
    ]);
    const taken = new Set(readFileSync(join(out, ".config"), "utf8").split("\n"));
    expect(
      wanted.filter((line) => !taken.has(line)),
      name,
    ).toEqual([]);
  }
});

test("the script names every kernel: each patch and stock, with each configuration", (ctx) => {
  const missing = sourceNeeds();
  if (missing) return ctx.skip(missing);
  const listed = run("bash", [SCRIPT, "--list"], { BOOTSTORM_KERNELS: join(folder, "cache") });
  const names = listed
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ +/)[0]!);
  const all = ["stock", ...patches].flatMap((patch) =>
    configs.map((config) => (config === "base" ? patch : `${patch}+${config}`)),
  );
  expect(names.sort()).toEqual(all.sort());
});

function namesIn(room: string, ending: string): string[] {
  return readdirSync(KERNEL + room).map((file) => basename(file, ending));
}

/** @returns what the program prints */
function run(program: string, args: readonly string[], env: Record<string, string> = {}): string {
  const done = spawnSync(program, args, { encoding: "utf8", env: { ...process.env, ...env } });
  expect(done.status, `${program} ${args.join(" ")}\n${done.stdout}${done.stderr}`).toBe(0);
  return done.stdout;
}
