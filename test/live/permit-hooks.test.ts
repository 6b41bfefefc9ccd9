// The hooks that are shipped, run as those would who call them.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { binary, checkout, until } from "../cli/bootstorm.ts";
import { GovernorFixture } from "../fixtures/governor.ts";
import { needs } from "../needs.ts";

const hook = (name: string) => join(checkout, "hooks", name);
const HOOKS = readdirSync(join(checkout, "hooks"));
const SCRIPTS = HOOKS.filter((name) => readFileSync(hook(name), "utf8").startsWith("#!/bin/sh"));

test("the package has them, and the documents show each", () => {
  const { files } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));
  expect(files).toContain("hooks");
  const docs = ["permit", "govern"].map((name) =>
    readFileSync(join(checkout, `docs/${name}.md`), "utf8"),
  );
  for (const name of HOOKS) expect(docs.join(), name).toContain(`hooks/${name}`);
});

test("scripts are what a shell can read", () => {
  expect(SCRIPTS.length).toBe(2);
  for (const name of SCRIPTS) {
    expect(spawnSync("sh", ["-n", hook(name)], { encoding: "utf8" })).toMatchObject({
      status: 0,
      stderr: "",
    });
  }
});

test("scripts have nothing that shellcheck finds", (ctx) => {
  const missing = needs("program shellcheck");
  if (missing) return ctx.skip(missing);
  const { status, stdout } = spawnSync("shellcheck", SCRIPTS.map(hook), { encoding: "utf8" });
  expect(status, stdout).toBe(0);
});

test("systemd can read the units", (ctx) => {
  const missing = needs("program systemd-analyze");
  if (missing) return ctx.skip(missing);
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-units-"));
  try {
    // What is not installed here is not what this is about.
    const unit = (name: string) =>
      readFileSync(hook(name), "utf8").replaceAll("/usr/bin/bootstorm", "/bin/true");
    mkdirSync(join(folder, "vm.service.d"));
    writeFileSync(join(folder, "bootstorm-govern.service"), unit("bootstorm-govern.service"));
    writeFileSync(join(folder, "vm.service"), "[Service]\nExecStart=/bin/true\n");
    writeFileSync(join(folder, "vm.service.d/permit.conf"), unit("vm-permit.conf"));
    const units = ["bootstorm-govern.service", "vm.service"].map((name) => join(folder, name));
    const verified = spawnSync("systemd-analyze", ["verify", ...units], { encoding: "utf8" });
    expect(verified).toMatchObject({ status: 0, stderr: "" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("libvirt's", () => {
  const UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0";
  const HOSTILE = "--release $(touch pwned) `touch pwned`; 'a' \"b\" <&>";

  let cwd: string;
  let fixture: GovernorFixture;
  beforeEach(async () => {
    cwd = mkdtempSync(join(tmpdir(), "bootstorm-libvirt-"));
    writeFileSync(join(cwd, "bootstorm"), `#!/bin/sh\nexec ${process.execPath} ${binary} "$@"\n`);
    chmodSync(join(cwd, "bootstorm"), 0o755);
    mkdirSync(join(cwd, "pids"));
    fixture = new GovernorFixture({
      policy: [{ name: "boot-cap", options: { boots: 1 } }],
      lease: { defaultMs: 600_000, maxMs: 600_000 },
    });
    configure("");
    await fixture.start();
  });
  afterEach(async () => {
    await fixture.remove();
    rmSync(cwd, { recursive: true });
  });

  function configure(more: string): void {
    const lines = [
      `BOOTSTORM=${cwd}/bootstorm`,
      `SOCKET=${fixture.socketPath}`,
      `STATE=${cwd}/state`,
      `PID_FILES=${cwd}/pids`,
    ];
    writeFileSync(join(cwd, "hook.conf"), `${lines.join("\n")}\n${more}\n`);
  }

  const escaped = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  /** As virDomainDefFormat writes it. */
  const xmlOf = (name: string) => `<domain type='kvm'>
  <name>${escaped(name)}</name>
  <uuid>${UUID}</uuid>
  <title>${escaped("<uuid>../../../etc</uuid>")}</title>
  <memory unit='KiB'>2097152</memory>
  <vcpu placement='static'>2</vcpu>
</domain>
`;

  const surroundings = () => ({
    cwd,
    env: { ...process.env, BOOTSTORM_LIBVIRT_HOOK_CONF: join(cwd, "hook.conf") },
  });

  function call(name: string, operation: string, sub: string) {
    return spawnSync(hook("libvirt-qemu"), [name, operation, sub, "-"], {
      ...surroundings(),
      input: xmlOf(name),
      encoding: "utf8",
    });
  }

  async function permits() {
    const { body } = await fixture.send("GET", "/v1/permits");
    return body.permits as { vm: string; state: string }[];
  }

  test.for(["web1", HOSTILE])("a domain's life, named %s", async (name) => {
    expect(call(name, "prepare", "begin")).toMatchObject({ status: 0, stdout: "" });
    const holder = { pid: process.pid };
    expect(await permits()).toMatchObject([
      { vm: name, state: "granted", memoryMiB: 2048, holder, key: expect.stringContaining(UUID) },
    ]);
    expect(call(name, "start", "begin")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    const qemu = spawn("sleep", ["3600"], { stdio: "ignore" });
    try {
      writeFileSync(join(cwd, "pids", `${name}.pid`), `${qemu.pid}\n`);
      expect(call(name, "started", "begin")).toMatchObject({ status: 0, stdout: "", stderr: "" });
      expect(await permits()).toMatchObject([{ vm: name, holder: { pid: qemu.pid } }]);
    } finally {
      qemu.kill("SIGKILL");
    }
    await until(() => fixture.history().at(-1)?.kind === "ended");
    expect(call(name, "stopped", "end")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(call(name, "release", "end")).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(await permits()).toEqual([]);
    expect(readdirSync(join(cwd, "state"))).toEqual([]);
    expect(readdirSync(cwd)).not.toContain("pwned");
    // It starts again: under a new permit.
    expect(call(name, "prepare", "begin").status).toBe(0);
    expect(await permits()).toMatchObject([{ vm: name, state: "granted" }]);
  });

  test("the second waits; when the first has failed to start, it goes", async () => {
    expect(call("web1", "prepare", "begin").status).toBe(0);
    const key = readFileSync(join(cwd, "state", UUID), "utf8");
    const second = spawn(hook("libvirt-qemu"), ["web2", "prepare", "begin", "-"], surroundings());
    const ended = new Promise((resolve) => second.once("close", resolve));
    second.stdin.end(xmlOf("web2").replace(UUID, UUID.replace("4", "5")));
    await until(() => fixture.history().some((e) => e.kind === "asked" && e.ask.vm === "web2"));
    expect(call("web1", "release", "end").status).toBe(0);
    expect(await ended).toBe(0);
    expect(await permits()).toMatchObject([{ vm: "web2", state: "granted" }]);
    const failed = fixture.history().find(({ kind }) => kind === "ended");
    expect(failed).toMatchObject({ how: "released", outcome: { failed: true } });
    expect(key).not.toBe("");
  });

  test("no permit: libvirt is told why, and does not start it", async () => {
    configure("DEADLINE=0.2");
    expect(call("web1", "prepare", "begin").status).toBe(0);
    const late = call("web1", "prepare", "begin");
    expect([late.status, late.stderr]).toEqual([3, expect.stringContaining("DEADLINE_PASSED")]);
  });

  test("no governor: as configured; what comes after never stops a domain that runs", async () => {
    await fixture.end("SIGKILL");
    const closed = call("web1", "prepare", "begin");
    expect([closed.status, closed.stderr]).toEqual([3, expect.stringContaining("NO_PERMIT")]);
    configure("WHEN_UNAVAILABLE=open");
    expect(call("web1", "prepare", "begin").status).toBe(0);
    expect(call("web1", "started", "begin").status).toBe(0);
    expect(call("web1", "stopped", "end").status).toBe(0);
  });

  test("other operations, and XML without a UUID, are none of its business", () => {
    for (const [name, operation, sub] of [
      ["web1", "migrate", "begin"],
      ["web1", "reconnect", "begin"],
      ["web1", "started", "begin"],
      ["web1", "stopped", "end"],
    ] as const) {
      expect(call(name, operation, sub)).toMatchObject({ status: 0, stdout: "", stderr: "" });
    }
    const empty = spawnSync(hook("libvirt-qemu"), ["web1", "prepare", "begin", "-"], {
      ...surroundings(),
      input: "",
    });
    expect(empty.status).toBe(0);
  });
});
