// `bootstorm doctor` on this machine, whatever machine that is.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asNobody, binary, bootstorm, checkout, schemaErrors } from "../cli/bootstorm.ts";
import { needs } from "../needs.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-doctor-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function doctor(args: readonly string[], command: readonly string[] = [process.execPath, binary]) {
  return bootstorm(["doctor", ...args], { cwd: folder, command });
}

describe("--json", () => {
  test("the document keeps the schema, and the schema refuses what is not one", () => {
    const { stdout, status } = doctor(["--json", "--quiet", "--no-kvm"]);
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("doctor", document)).toEqual([]);
    const { caveats: _, ...noCaveats } = document;
    expect(schemaErrors("doctor", noCaveats)).not.toEqual([]);
    document.result.facts[0].state = "fine";
    expect(schemaErrors("doctor", document)).not.toEqual([]);
  });

  test("input repeats the run: defaults are in it", () => {
    const { stdout } = doctor(["--json", "--quiet", "--no-kvm"]);
    expect(JSON.parse(stdout).input).toEqual({ kvm: false, kvmLimitSeconds: 10 });
  });

  test("--json=FILE writes the document and still prints the text", () => {
    const { stdout } = doctor(["--json=kept.json", "--quiet", "--no-kvm"]);
    expect(stdout).toMatch(/^This host /);
    expect(
      schemaErrors("doctor", JSON.parse(readFileSync(join(folder, "kept.json"), "utf8"))),
    ).toEqual([]);
  });

  test("KVM: where the device opens and QEMU is there, a guest was really booted", () => {
    const { stdout, status } = doctor(["--json", "--quiet", "--kvm-limit", "2"]);
    expect(status).toBe(0);
    const document = JSON.parse(stdout);
    expect(schemaErrors("doctor", document)).toEqual([]);
    const { kvm, qemu } = document.result.readings;
    const booted = kvm.device === "opened" && qemu.installed === true;
    expect(kvm.guests.length > 0).toBe(booted);
    for (const { accel, limitMs } of kvm.guests) {
      expect(["kvm", "tcg"]).toContain(accel);
      expect(limitMs).toBe(2000);
    }
  });
});

describe("text", () => {
  test("a sentence first; no line wider than a terminal; no colour when nobody sees it", () => {
    const { stdout, stderr } = doctor(["--no-kvm", "--quiet"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^This host (can|cannot|may)/);
    expect(stdout).not.toContain("\u001b");
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  test("help ends with three examples", () => {
    const { stdout } = doctor(["--help"]);
    expect(stdout.split("Examples:\n")[1]!.trim().split("\n")).toHaveLength(3);
  });
});

describe("wrong use", () => {
  test.each([
    [["--kvm-limit", "0"], 2, "--kvm-limit <seconds>' argument '0' is invalid"],
    [["--kvm-limit", "soon"], 2, "from 1 to 600"],
    [["--vms"], 2, "unknown option '--vms'"],
    [["--kernel", "nowhere"], 4, "--kernel: cannot read nowhere (KERNEL_UNREADABLE)"],
  ])("%s ends with status %i and says why", (args, status, message) => {
    const ended = doctor(args);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(message);
    expect(ended.stdout).toBe("");
  });
});

test("killed outright while a probe guest runs: the guest dies too", async (ctx) => {
  const missing = needs("program setpriv", "program mkfifo");
  if (missing) return ctx.skip(missing);
  // The guest is a script that holds a pipe open: the pipe ends when the last of it is gone.
  const pipe = join(folder, "alive");
  spawnSync("mkfifo", [pipe]);
  mkdirSync(join(folder, "dev"));
  writeFileSync(join(folder, "dev/kvm"), "");
  const guest = `#!/bin/sh\nexec 3> ${pipe}\necho started >&3\nexec sleep 1000\n`;
  writeFileSync(join(folder, "qemu-system-x86_64"), guest, { mode: 0o755 });
  const probe = {
    root: folder,
    path: `${folder}:${process.env.PATH}`,
    release: "6.1",
    limitMs: 600_000,
  };
  const script = `
    import { readKvm } from ${JSON.stringify(`${checkout}dist/host/probe/kvm.js`)};
    const { signal } = new AbortController();
    await readKvm({ ...${JSON.stringify(probe)}, kernelImage: undefined, signal });`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: "inherit",
  });
  const alive = createReadStream(pipe);
  await once(alive, "data");
  parent.kill("SIGKILL");
  await once(alive, "end");
});

test("without root it answers too, and says what root may", (ctx) => {
  const missing = needs("root", "program setpriv");
  if (missing) return ctx.skip(missing);
  const copy = mkdtempSync(join(tmpdir(), "bootstorm-copy-"));
  try {
    const { stdout, status } = doctor(["--json", "--quiet", "--no-kvm"], asNobody(copy));
    expect(status).toBe(0);
    const { result } = JSON.parse(stdout);
    expect(result.summary).toContain("Root may do more.");
    expect(result.readings.process).toMatchObject({ uid: 65534, capabilities: [] });
    const facts = result.facts as { id: string; state: string; remedy?: string }[];
    expect(facts.find(({ id }) => id === "lock-tracepoints")).toMatchObject({
      state: "missing",
      remedy: expect.stringContaining("root"),
    });
  } finally {
    rmSync(copy, { recursive: true });
  }
});
