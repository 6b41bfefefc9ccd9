// `bootstorm check` as a person runs it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstorm, filesIn, schemaErrors, startBootstorm, until } from "./bootstorm.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-check-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const check = (...args: string[]) => bootstorm(["check", "--quiet", ...args], { cwd: folder });

function file(name: string, content: unknown): string {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  writeFileSync(join(folder, name), text);
  return name;
}

test("a safe design ends with 0, a broken law with 1, and both say what was tried", () => {
  const safe = check("--design", "linux-4.20", "--ops", "ro");
  expect(safe.status).toBe(0);
  expect(safe.stdout).toMatch(/linux-4\.20 is safe for ro: every interleaving of 4 CPUs was tried/);
  expect(safe.stdout).toContain("laws tested");
  const unsafe = check("--design", "no-cpa-lock", "--ops", "ro");
  expect(unsafe.status).toBe(1);
  expect(unsafe.stdout).toMatch(
    /no-cpa-lock is unsafe for ro: after 10 steps, 1 preemption on 2 CPUs/,
  );
});

test("the run that breaks a law fits into a mail: at most 79 columns", () => {
  for (const cpus of ["2", "4", "6"]) {
    const { stdout } = check("--design", "no-cpa-lock", "--ops", "ro", "--cpus", cpus);
    const lines = stdout
      .split("The run that breaks it")[1]!
      .split("What was tried")[0]!
      .split("\n");
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(79);
  }
});

test("without flags every design meets every operation, and the published record stands", () => {
  const { stdout, status } = check("--json");
  expect(status).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("check", document)).toEqual([]);
  const verdictOf = (design: string, operations: string) =>
    document.result.verdicts.find(
      (each: { design: string; operations: string }) =>
        each.design === design && each.operations === operations,
    ).verdict;
  // DESIGN: 2.6.27 unsafe; 2.6.28 to 6.14 safe with cpa_lock, unsafe without but for
  // present to not-present; the collapse of 6.15 unsafe.
  expect(verdictOf("linux-2.6.27", "ro")).toBe("unsafe");
  expect(verdictOf("linux-2.6.28", "ro")).toBe("safe");
  expect(verdictOf("linux-4.20", "ro")).toBe("safe");
  expect(verdictOf("no-cpa-lock", "set_direct_map")).toBe("safe");
  expect(verdictOf("no-cpa-lock", "ro")).toBe("unsafe");
  expect(verdictOf("linux-6.15", "collapse")).toBe("unsafe");
});

test("a question without an answer is neither safe nor broken: it has its own status and words", () => {
  const limit = check(
    "--design",
    "linux-4.20",
    "--ops",
    "ro",
    "--cpus",
    "7",
    "--no-merge",
    "--no-symmetry",
    "--limit",
    "0.02",
  );
  expect(limit.status).toBe(5);
  expect(limit.stdout.replace(/\s+/g, " ")).toMatch(
    /unknown after \d+ states: the time limit was reached/,
  );
  const memory = check(
    "--design",
    "linux-4.20",
    "--ops",
    "ro",
    "--cpus",
    "7",
    "--no-merge",
    "--no-symmetry",
    "--memory",
    "16",
  );
  expect(memory.status).toBe(5);
  expect(memory.stdout).toContain("memory limit");
  const empty = check("--design", "linux-4.20", "--ops", "ro, ");
  expect(empty.status).toBe(6);
  expect(empty.stdout).toContain("vacuous");
});

test("a step of the kernel that is left out is missed: never a green answer", () => {
  const { status } = check(
    "--design",
    "linux-4.20",
    "--ops",
    "ro",
    "--omit",
    "__split_large_page: flush_tlb_all",
  );
  expect([1, 6]).toContain(status);
});

test("a saved schedule replays to the same law in as many steps", () => {
  expect(check("--design", "no-cpa-lock", "--ops", "ro", "--save", "run.json").status).toBe(1);
  const { stdout, status } = check("--replay", "run.json", "--json");
  expect(status).toBe(1);
  const document = JSON.parse(stdout);
  expect(schemaErrors("check", document)).toEqual([]);
  expect(document.result.verdicts[0]).toMatchObject({
    law: "C1-access",
    steps: 10,
    preemptions: 1,
  });
});

test("a schedule that no longer breaks its law says so", () => {
  check("--design", "no-cpa-lock", "--ops", "ro", "--save", "run.json");
  const saved = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
  const cut = file("cut.json", { ...saved, choices: saved.choices.slice(0, 3) });
  const { stdout, status } = check("--replay", cut);
  expect(status).toBe(6);
  expect(stdout).toContain("no longer breaks C1-access");
});

test.each([
  ["[1]", "BAD_SCHEDULE"],
  ["{}", "BAD_SCHEDULE"],
  ['{"version":2}', "BAD_SCHEDULE"],
  ["not json", "NOT_JSON"],
])("a schedule file of %s is refused: %s", (content, code) => {
  const { stderr, status } = check("--replay", file("bad.json", content));
  expect(status).toBe(4);
  expect(stderr).toContain(code);
});

test("a schedule with hostile values is refused with all of them named", () => {
  check("--design", "no-cpa-lock", "--ops", "ro", "--save", "run.json");
  const saved = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
  const bad = file("bad.json", { ...saved, pages: 1e9, choices: ["x"], start: "8k" });
  const { stderr, status } = check("--replay", bad);
  expect(status).toBe(4);
  expect(stderr).toContain("pages, start, choices");
});

test("a design of the user's own gets its verdict, and an impossible one its problems with paths", () => {
  const mine = file("mine.json", { name: "mine", base: "no-cpa-lock", splitFlush: "in-round" });
  expect(check("--design", mine, "--ops", "ro").stdout).toContain("mine is unsafe for ro");
  const wrong = file("wrong.json", {
    name: "w",
    base: "linux-4.20",
    splitFlush: "never",
    sections: { nap: ["cpa_lock"] },
  });
  const { stderr, status } = check("--design", wrong);
  expect(status).toBe(2);
  expect(stderr).toMatch(/splitFlush/);
  expect(stderr).toMatch(/sections\.nap/);
});

test("unknown designs and operations name what there is", () => {
  const design = check("--design", "no-such");
  expect(design.status).toBe(2);
  expect(design.stderr).toContain("linux-4.20");
  const operations = check("--design", "linux-4.20", "--ops", "fly");
  expect(operations.status).toBe(2);
  expect(operations.stderr).toContain("set_direct_map");
});

test("page-table levels appear in the reader's words", () => {
  const amd = check("--design", "no-cpa-lock", "--ops", "ro", "--terms", "amd").stdout;
  expect(amd).toContain("read PDE");
  expect(amd).not.toContain("PMD");
  expect(check("--design", "no-cpa-lock", "--ops", "ro").stdout).toContain("read PMD");
});

test("every lock and flush taken away is caught or redundant, and says why", () => {
  const { stdout } = check("--design", "linux-4.20", "--removals", "--json");
  const document = JSON.parse(stdout);
  expect(schemaErrors("check", document)).toEqual([]);
  const { removals } = document.result;
  expect(removals.length).toBeGreaterThan(4);
  for (const row of removals) expect(["caught", "redundant"], row.what).toContain(row.outcome);
});

test("a large question says beforehand how large it will be", () => {
  const { stderr } = bootstorm(["check", "--design", "linux-4.20", "--ops", "ro", "--cpus", "8"], {
    cwd: folder,
  });
  expect(stderr).toMatch(/expected: about [\d,]+ states/);
});

test("Ctrl-C in the middle of an exploration ends it with 130 and leaves no file", async () => {
  const before = filesIn(folder).sort();
  const run = startBootstorm(
    [
      "check",
      "--design",
      "linux-4.20",
      "--ops",
      "ro rw nx x",
      "--cpus",
      "9",
      "--no-merge",
      "--no-symmetry",
      "--save",
      "never.json",
    ],
    { cwd: folder },
  );
  await until(() => run.said().includes("expected:") || run.said().includes("states"));
  run.kill("SIGINT");
  const { status, stderr } = await run.ended;
  expect(status).toBe(130);
  expect(stderr).toContain("INTERRUPTED");
  expect(filesIn(folder).sort()).toEqual(before);
});
