// `bootstorm kernel-ab` as a person runs it. Kernels of kernel/ take minutes to build, so a machine may
// have none: then the host's own kernel stands for them, which has no load and can do nothing.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DESIGN_BY_NAME } from "../../src/core/kernel/design/index.ts";
import { bootstorm, checkout, filesIn, startBootstorm, until } from "../cli/bootstorm.ts";
import { vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";
import { processesOf } from "./storm-processes.ts";

let cwd: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-kernel-ab-"));
  mkdirSync(join(cwd, "runtime"), { mode: 0o700 });
  env = { ...process.env, XDG_RUNTIME_DIR: join(cwd, "runtime") };
});
afterEach(() => rmSync(cwd, { recursive: true }));

const kernelAb = (...args: string[]) => bootstorm(["kernel-ab", ...args], { cwd, env });
const NOTHING = ["runtime", "runtime/bootstorm"];

/** Where there are compilers, the line that builds; else the one that gets them. */
const howToBuild = (kernels: string) =>
  new RegExp(`\n  do:  (scripts/build-kernels\\.sh ${kernels}|apt-get install gcc .*)\n`);

/** Kernels that scripts/build-kernels.sh has built. */
function areBuilt(...kernels: string[]): boolean {
  const args = [`${checkout}scripts/build-kernels.sh`, "--find", ...kernels];
  return spawnSync("bash", args, { env }).status === 0;
}

describe("with QEMU", () => {
  let kernel: string;
  beforeEach((ctx) => {
    const missing = vmNeeds();
    if (missing) return ctx.skip(missing);
    kernel = `/boot/${readdirSync("/boot").find((name) => name.startsWith("vmlinuz"))}`;
  });

  // The one thing that CI may lack, as nothing but time can make it.
  test("stock against no-cpa-lock, live where they are built; else the line that builds them", () => {
    const few = ["--vcpus", "2", "--loads", "toggle", "--repetitions", "2", "--no-debug"];
    const { status, stdout, stderr } = kernelAb("stock", "no-cpa-lock", ...few, "--json");
    if (!areBuilt("stock", "no-cpa-lock")) {
      expect([status, stdout]).toEqual([3, ""]);
      expect(stderr).toMatch(howToBuild("stock no-cpa-lock"));
      return;
    }
    expect(status, stderr).toBe(0);
    const { input, result } = JSON.parse(stdout);
    expect(input.vcpus).toEqual([2]);
    expect(result.arms).toMatchObject([
      { name: "stock", boots: 2, bootsDone: 2, release: expect.stringMatching(/-stock$/) },
      { name: "no-cpa-lock", boots: 2, bootsDone: 2, release: expect.stringMatching(/-lock$/) },
    ]);
    expect(result.comparisons).toMatchObject([
      { arm: 1, load: "toggle", vcpus: 2, threads: 1, pairs: 2, verdict: "too-few" },
      { arm: 1, load: "toggle", vcpus: 2, threads: 2, pairs: 2, verdict: "too-few" },
    ]);
    if (areBuilt("stock+lock-stat", "no-cpa-lock+lock-stat")) {
      const taken = (arm: number) =>
        result.locks
          .filter((point: { arm: number }) => point.arm === arm)
          .flatMap((point: { locks: { name: string }[] }) => point.locks.map(({ name }) => name));
      expect(taken(0)).toContain("cpa_lock");
      expect(taken(1)).not.toContain("cpa_lock");
    }
  });

  test("kernels without the load: nothing measured, told as that, status 1; read again, the same", () => {
    const flags = ["--vcpus", "1", "--repetitions", "1", "--no-count", "--no-debug"];
    const run = kernelAb(kernel, `${kernel},quiet`, ...flags, "--out", "run", "--json");
    expect(run.status, run.stderr).toBe(1);
    expect(run.stderr).toContain(`${kernel},quiet is given up\n`);
    const { result } = JSON.parse(run.stdout);
    expect(result.arms).toMatchObject([
      { name: kernel, bootsDone: 0 },
      { name: `${kernel},quiet`, bootsDone: 0 },
    ]);
    expect(result.failures.length).toBe(4);
    for (const { outcome } of result.failures) expect(outcome).toBe("order-failed");
    const again = kernelAb("--from", "run", "--json");
    expect([again.status, again.stdout]).toEqual([1, run.stdout]);
    const files = ["boots.jsonl", "consoles", "kernel-ab.json", "report.html"];
    expect(readdirSync(join(cwd, "run"))).toEqual(files);
    expect(kernelAb(kernel, kernel, "--out", "run").stderr).toContain("RUN_EXISTS");
  });

  test("Ctrl-C before anything is measured: status 130, and nothing stays", async () => {
    const run = startBootstorm(["kernel-ab", kernel, kernel, "--vcpus", "1"], { cwd, env });
    await until(() => processesOf(run.pid).length === 1 && filesIn(cwd).includes("bootstorm-runs"));
    run.kill("SIGINT");
    const { status, stdout } = await run.ended;
    expect([status, stdout]).toEqual([130, ""]);
    expect(processesOf(run.pid)).toEqual([]);
    expect(filesIn(cwd)).toEqual(NOTHING);
  });

  test("SIGKILL: no VM outlives it, and the next start removes its register", async (ctx) => {
    const missing = needs("program setpriv");
    if (missing) return ctx.skip(missing);
    const run = startBootstorm(["kernel-ab", kernel, kernel, "--vcpus", "1"], { cwd, env });
    await until(() => processesOf(run.pid).length === 1);
    run.kill("SIGKILL");
    await run.ended;
    await until(() => processesOf(run.pid).length === 0);
    kernelAb("./no-such-kernel", "./nor-this");
    expect(readdirSync(join(cwd, "runtime/bootstorm"))).toEqual([]);
  });

  test("a file that is no kernel: told before anything is booted", () => {
    writeFileSync(join(cwd, "vmlinux"), "no kernel");
    const { status, stdout, stderr } = kernelAb(kernel, "./vmlinux");
    expect([status, stdout]).toEqual([4, ""]);
    expect(stderr).toMatch(/vmlinux is no kernel to boot here \(KERNEL_NOT_BOOTABLE\)/);
    expect(stderr).not.toContain("guests[]");
    rmSync(join(cwd, "vmlinux"));
    expect(filesIn(cwd)).toEqual(NOTHING);
  });

  test("no QEMU: status 3, and how to get it", () => {
    const lacking = { ...env, PATH: cwd };
    const { status, stderr } = bootstorm(["kernel-ab", kernel, kernel], { cwd, env: lacking });
    expect(status).toBe(3);
    expect(stderr).toContain("there is no QEMU to boot VMs with (NO_QEMU)");
    expect(stderr).not.toContain("guests[]");
  });
});

test.each([
  [["stock"], "TOO_FEW_KERNELS", 2],
  [["stock,a b", "stock"], "is no KERNEL[,WORD…]", 2],
  [["stock", "no-cpa-lock", "--loads", "mixed"], "toggle, split", 2],
  [["stock", "no-cpa-lock", "--design", "a,b,c"], "TOO_MANY_DESIGNS", 2],
  [["./a", "./b", "--vcpus", "1,2", "--threads", "2"], "TOO_FEW_VCPUS", 2],
  [["--from", "run", "--vcpus", "2"], "FROM_AND_BOOT", 2],
  [["--from", "run"], "CANNOT_READ", 4],
  [["./a", "./b"], "CANNOT_READ", 4],
])("%j: %s; nothing is left behind", (args, told, expected) => {
  const { status, stdout, stderr } = kernelAb(...args);
  expect([status, stdout]).toEqual([expected, ""]);
  expect(stderr).toContain(told);
  expect(filesIn(cwd).filter((path) => !NOTHING.includes(path))).toEqual([]);
});

test("not built: the line that builds it, and that a path can be named instead", () => {
  const empty = { ...env, BOOTSTORM_KERNELS: join(cwd, "none") };
  const run = bootstorm(["kernel-ab", "stock", "per-pmd-lock"], { cwd, env: empty });
  expect([run.status, run.stdout]).toEqual([3, ""]);
  expect(run.stderr).toMatch(howToBuild("stock per-pmd-lock"));
  expect(run.stderr).toContain("by its path");
});

test("without compilers kernels have no names: what is missing, and that a path can be named", () => {
  const bin = join(cwd, "bin");
  mkdirSync(bin);
  for (const name of ["bash", "dirname", "ls", "sed", "grep", "mkdir", "xargs", "node"]) {
    const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${found.stdout.trim()} "$@"\n`, {
      mode: 0o755,
    });
  }
  const { status, stderr } = bootstorm(["kernel-ab"], { cwd, env: { ...env, PATH: bin } });
  expect(status).toBe(3);
  expect(stderr).toContain("CANNOT_FIND_KERNELS");
  expect(stderr).toMatch(/this host lacks .*gcc/);
  expect(stderr).toContain("by its path");
});

test("each patch of kernel/ has a name here, and is a design of check by that name", () => {
  const patches = readdirSync(`${checkout}kernel/patches`).map((name) =>
    name.replace(".patch", ""),
  );
  const { status, stderr } = kernelAb("stock", "no-such-patch");
  expect(status).toBe(2);
  for (const patch of patches) expect(stderr).toContain(` ${patch}`);
  expect(patches.filter((patch) => !DESIGN_BY_NAME.has(patch))).toEqual([]);
});
