// The pages of docs/ tell the truth: their tables of flags are those of --help, and the commands of
// pages that only compute run.
import { describe, expect, test } from "vitest";
import { bootstorm } from "./bootstorm.ts";
import { docPages, docs, failuresOf } from "./doc-pages.ts";

const computing = docPages.filter(
  ({ commands, needs }) => commands.length > 0 && needs.length === 0,
);

test.for(computing)("the commands of $name run", (page) => {
  expect(failuresOf(page)).toEqual([]);
});

describe("flags", () => {
  const withFlags = docPages.filter(({ text }) => text.includes("\n| flag |"));

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
