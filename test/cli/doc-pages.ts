// A block of docs/ that begins with ```sh run is run line by line, as a person would, in an empty
// folder for each page. Words after `run` are what it needs, and are checked before: `root`,
// `memfd_secret`, or a program such as `perf`. `sudo` is played by a script, as the test is root
// already. Blocks that begin with plain ```sh are not run.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Need } from "../needs.ts";
import { binary, checkout } from "./bootstorm.ts";

export const docs = join(checkout, "docs");

export interface DocPage {
  readonly name: string;
  readonly text: string;
  /** Lines of its blocks that are run. */
  readonly commands: readonly string[];
  /** What they need; nothing: they only compute. */
  readonly needs: readonly Need[];
}

export const docPages: readonly DocPage[] = readdirSync(docs)
  .filter((name) => name.endsWith(".md"))
  .map((name) => {
    const text = readFileSync(join(docs, name), "utf8");
    const blocks = [...text.matchAll(/^```sh run(.*)\n([\s\S]*?)^```$/gm)];
    const words = blocks.flatMap(([, needed]) => needed!.trim().split(" "));
    return {
      name,
      text,
      commands: blocks.flatMap(([, , lines]) => lines!.trim().split("\n")),
      needs: [...new Set(words.filter((word) => word !== ""))].map(needOf),
    };
  });

function needOf(word: string): Need {
  return word === "root" || word === "memfd_secret" ? word : `program ${word}`;
}

/** Runs a page's commands → those that failed, with what they said. */
export function failuresOf({ commands }: DocPage): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-docs-"));
  const programs = join(folder, "programs");
  const cwd = join(folder, "work");
  try {
    for (const made of [programs, cwd]) mkdirSync(made);
    symlinkSync(binary, join(programs, "bootstorm"));
    writeFileSync(join(programs, "sudo"), '#!/bin/sh\nexec "$@"\n');
    chmodSync(join(programs, "sudo"), 0o755);
    const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
    return commands.flatMap((line) => {
      const { status, stderr } = spawnSync("sh", ["-c", line], { cwd, env, encoding: "utf8" });
      return status === 0 ? [] : [`${line}\n${stderr}`];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
