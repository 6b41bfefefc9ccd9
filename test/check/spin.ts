import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { environmentOf, type Member, promelaModel } from "./promela.ts";

const run = promisify(execFile);

/** A compiled SPIN verifier for a number of CPUs. */
export interface Spin {
  /** Runs it for one design: true when it found an error, with its first words. */
  check(member: Member): Promise<SpinAnswer>;
  /** Deletes what was compiled. */
  remove(): Promise<void>;
}

export interface SpinAnswer {
  readonly broken: boolean;
  readonly states: number;
  readonly text: string;
}

/** Writes the model, lets SPIN make a verifier of it, and compiles that. */
export async function compileSpin(cpus: number): Promise<Spin> {
  const cwd = await mkdtemp(join(tmpdir(), "bootstorm-spin-"));
  await writeFile(join(cwd, "cpa.pml"), promelaModel(cpus));
  await run("spin", ["-a", "cpa.pml"], { cwd });
  await run("gcc", ["-O2", "-w", "-DSAFETY", "-DNOFAIR", "-DVECTORSZ=2048", "-o", "pan", "pan.c"], {
    cwd,
  });
  return {
    async check(member) {
      // -w20: a small first hash table, it grows by itself; no trail file is wanted.
      const env = { ...process.env, ...environmentOf(member) };
      const { stdout } = await run(join(cwd, "pan"), ["-w20", "-m100000"], { cwd, env });
      return answerOf(stdout);
    },
    remove: () => rm(cwd, { recursive: true }),
  };
}

// pan prints, among others:
//   pan:1: assertion violated ((status[table]==1)) (at depth 33)
//   State-vector 100 byte, depth reached 97, errors: 1
//      627 states, stored
function answerOf(stdout: string): SpinAnswer {
  const errors = /errors: (\d+)/.exec(stdout);
  const states = /(\d+) states, stored/.exec(stdout);
  if (errors === null || states === null) throw new Error(`SPIN said:\n${stdout}`);
  if (/max search depth too small|out of memory/.test(stdout)) {
    throw new Error(`SPIN did not finish:\n${stdout}`);
  }
  const text = /^pan:\d+: (.*)$/m.exec(stdout)?.[1] ?? "no error";
  return { broken: errors[1] !== "0", states: Number(states[1]), text };
}
