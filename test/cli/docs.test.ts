// The pages of docs/ tell the truth: their command blocks run, and their tables of flags are those
// of --help.
//
// A block that begins with ```sh run is run line by line, as a person would, in an empty folder for
// each page; every line must end with status 0. Words after `run` are what it needs, and are
// checked before: `root`, `memfd_secret`, or a program such as `perf`. `sudo` is played by a script,
// as the test is root already. Blocks that begin with plain ```sh are not run.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Need, needs } from "../needs.ts";
import { binary, bootstorm, checkout } from "./bootstorm.ts";

const docs = join(checkout, "docs");
const pages = readdirSync(docs)
  .filter((name) => name.endsWith(".md"))
  .map((name) => ({ name, text: readFileSync(join(docs, name), "utf8") }));

let programs: string;
beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), "bootstorm-programs-"));
  symlinkSync(binary, join(programs, "bootstorm"));
  writeFileSync(join(programs, "sudo"), '#!/bin/sh\nexec "$@"\n');
  chmodSync(join(programs, "sudo"), 0o755);
});
afterAll(() => rmSync(programs, { recursive: true }));

describe("command blocks that are marked run", () => {
  test.for(pages.filter(({ text }) => text.includes("```sh run")))("$name", ({ text }, ctx) => {
    const blocks = [...text.matchAll(/^```sh run(.*)\n([\s\S]*?)^```$/gm)];
    const missing = needs(
      ...new Set(blocks.flatMap(([, words]) => words!.trim().split(" ")).map(needOf)),
    );
    if (missing) return ctx.skip(missing);
    const cwd = mkdtempSync(join(tmpdir(), "bootstorm-docs-"));
    const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
    try {
      for (const line of blocks.flatMap(([, , lines]) => lines!.trim().split("\n"))) {
        const { status, stderr } = spawnSync("sh", ["-c", line], { cwd, env, encoding: "utf8" });
        expect(status, `${line}\n${stderr}`).toBe(0);
      }
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });

  function needOf(word: string): Need {
    return word === "root" || word === "memfd_secret" ? word : `program ${word}`;
  }
});

describe("flags", () => {
  const withFlags = pages.filter(({ text }) => text.includes("\n| flag |"));

  test.for(withFlags)(
    "$name names those of --help, no more and no fewer, with their defaults",
    ({ name, text }) => {
      const help = bootstorm([name.replace(".md", ""), "--help"], { cwd: docs }).stdout;
      const inHelp = new Map(
        [...help.matchAll(/^ {2}(--[a-z-]+)([\s\S]*?)(?=\n {2}-|\n\n)/gm)].map(([, flag, rest]) => [
          flag,
          /\(default: "?([\w.]+)/.exec(rest!.replaceAll(/\s+/g, " "))?.[1],
        ]),
      );
      const inPage = new Map(
        [...text.matchAll(/^\| `(--[a-z-]+)[^|]*\| ([^|]*)\|/gm)].map(([, flag, value]) => [
          flag,
          value,
        ]),
      );
      expect([...inPage.keys()].sort()).toEqual([...inHelp.keys()].sort());
      for (const [flag, value] of inHelp) {
        if (value !== undefined) expect(inPage.get(flag), flag).toContain(value);
      }
    },
  );

  test("every command has its page", () => {
    const { stdout } = bootstorm(["--help"], { cwd: docs });
    const commands = /\nCommands:\n([\s\S]*?)\n {2}help /
      .exec(stdout)![1]!
      .match(/^ {2}[a-z-]+/gm)!;
    expect(withFlags.map(({ name }) => name)).toEqual(
      expect.arrayContaining(commands.map((command) => `${command.trim()}.md`)),
    );
  });
});
