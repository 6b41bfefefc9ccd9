// What all commands have in common, told by the words and the exit status a person gets.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/app/cli/commands/index.ts";
import { needs } from "../needs.ts";
import { binary, bootstorm, checkout } from "./bootstorm.ts";

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-usage-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

test("--version prints the version of package.json and nothing else", () => {
  const { version } = JSON.parse(readFileSync(`${checkout}package.json`, "utf8"));
  const printed = { status: 0, stdout: `${version}\n`, stderr: "" };
  expect(bootstorm(["--version"], { cwd })).toMatchObject(printed);
});

test("without a command: what there is, on standard error, as wrong use", () => {
  const { status, stdout, stderr } = bootstorm([], { cwd });
  expect([status, stdout]).toEqual([2, ""]);
  for (const { name } of COMMANDS) expect(stderr).toContain(`\n  ${name} `);
});

describe("wrong use ends with status 2: what is wrong, why, what to do; nothing on standard output", () => {
  test.each([
    [
      ["contenton"],
      "unknown command 'contenton'",
      "there is no such command",
      "did you mean contention?",
    ],
    [["pressure", "--round", "3"], "unknown option '--round'", "no such flag", "mean --rounds?"],
    [
      ["contention", "a", "b"],
      "too many arguments",
      "Expected 1 argument but got 2",
      "contention --help",
    ],
    [["doctor", "--json", "x"], "too many arguments", "Expected 0 arguments", "doctor --help"],
    [["contention", "--seconds"], "--seconds <n>' argument missing", "needs a value", "--help"],
    [
      ["contention", "--seconds", "0"],
      "--seconds <n>' argument '0'",
      "from 0.1 to 86400",
      "--help",
    ],
    [["contention", "--by", "lock"], "--by <what>' argument 'lock'", "caller, process", "--help"],
    [["contention", "--buffer", "1e3"], "--buffer <KiB>' argument '1e3'", "from 64 to", "--help"],
    [["contention", "--html="], "--html <file>' argument ''", "the name of a file", "--help"],
    [
      ["pressure", "--processes", "0"],
      "--processes <list>' argument '0'",
      "from 1 to 4096",
      "--help",
    ],
    [["pressure", "--processes", "1,,2"], "argument '1,,2'", "'' is not a whole number", "--help"],
    [["pressure", "--processes", "9999"], "argument '9999'", "from 1 to 4096", "--help"],
    [["pressure", "--processes", "4096"], "--processes: 4096 is too many", "CPUs", "at most "],
    [["pressure", "--rounds", "-1"], "--rounds <n>' argument '-1'", "from 3 to 10000", "--help"],
    [
      ["pressure", "--warmups", "1001"],
      "--warmups <n>' argument '1001'",
      "from 0 to 1000",
      "--help",
    ],
    [["pressure", "--pages", "1"], "--pages <n>' argument '1'", "from 64 to 1048576", "--help"],
    [
      ["pressure", "--memory-share", "90"],
      "--memory-share <percent>' argument '90'",
      "from 0.001 to 50",
      "--help",
    ],
    [["pressure", "--seed", "x"], "--seed <n>' argument 'x'", "from 0 to 2147483647", "--help"],
    [["investigate", "--rounds", "-1"], "--rounds <n>' argument '-1'", "from 3 to 10000", "--help"],
    [["investigate", "--out="], "--out <folder>' argument ''", "the name of a file", "--help"],
    [
      ["doctor", "--", "make", "-j8"],
      "doctor runs no other command",
      "make -j8",
      "contention -- make -j8",
    ],
  ])("%s", (args, what, why, remedy) => {
    const { status, stdout, stderr } = bootstorm(args, { cwd });
    expect([status, stdout]).toEqual([2, ""]);
    const [first, second, third] = stderr.split(/^ {2}(?:why|do): /m);
    expect(first).toMatch(/^bootstorm: .* \([A-Z_]+\)\n$/);
    expect(first).toContain(what);
    expect(second).toContain(why);
    expect(third).toContain(remedy);
  });
});

describe("help", () => {
  test.each(COMMANDS.map(({ name }) => name))(
    "%s: three examples or more; what each flag is without a value",
    (command) => {
      const { status, stdout, stderr } = bootstorm([command, "--help"], { cwd });
      expect([status, stderr]).toEqual([0, ""]);
      const [flags, examples] = stdout.split("\nExamples:\n");
      expect(examples!.trim().split("\n").length).toBeGreaterThanOrEqual(3);
      for (const example of examples!.trim().split("\n")) {
        expect(example.trim()).toMatch(new RegExp(`^(sudo )?bootstorm ${command}( |$)`));
      }
      const withValue = flags!.split(/\n(?= {2}-)/).filter((text) => /^ {2}--\S+ </.test(text));
      expect(withValue.length).toBeGreaterThan(0);
      for (const flag of withValue) expect(flag).toContain("(default:");
      expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
    },
  );

  test("a reader that leaves early, as head does, is no error", () => {
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", `node ${binary} contention --help | head -1`],
      {
        encoding: "utf8",
      },
    );
    expect([stdout, stderr]).toEqual(["Usage: bootstorm contention [options] [file]\n", ""]);
  });
});

test("colour is for those who see it and want it: none with NO_COLOR", (ctx) => {
  const missing = needs("program script");
  if (missing) return ctx.skip(missing);
  const onTerminal = (env: NodeJS.ProcessEnv) =>
    spawnSync("script", ["-qec", `node ${binary} doctor --no-kvm --quiet`, "/dev/null"], {
      encoding: "utf8",
      env: { PATH: process.env.PATH, TERM: "xterm-256color", ...env },
    }).stdout;
  expect(onTerminal({})).toContain("\u001b[3");
  expect(onTerminal({ NO_COLOR: "1" })).not.toContain("\u001b");
});
