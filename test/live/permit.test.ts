// `bootstorm permit` as a launcher's wrapper: real daemons, real commands.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import { asNobody, bootstorm, schemaErrors, startBootstorm, until } from "../cli/bootstorm.ts";
import { GovernorFixture } from "../fixtures/governor.ts";
import { gone, isAlive } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";

const CAP_1 = { policy: [{ name: "boot-cap", options: { boots: 1 } }] };
const LONG = { lease: { defaultMs: 600_000, maxMs: 600_000 } };

const cleanups: (() => unknown)[] = [];
let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "bootstorm-permit-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(cwd, { recursive: true });
});

/** One that does not run yet. */
function fixtureOf(config: object): GovernorFixture {
  const fixture = new GovernorFixture(config);
  cleanups.push(() => fixture.remove());
  return fixture;
}

async function governor(config: object): Promise<GovernorFixture> {
  const fixture = fixtureOf(config);
  await fixture.start();
  return fixture;
}

const words = ({ socketPath }: GovernorFixture, ...rest: string[]) => [
  "permit",
  "--socket",
  socketPath,
  ...rest,
];
const permit = (fixture: GovernorFixture, ...rest: string[]) =>
  bootstorm(words(fixture, ...rest), { cwd });
const startPermit = (fixture: GovernorFixture, ...rest: string[]) => {
  const running = startBootstorm(words(fixture, ...rest), { cwd });
  cleanups.push(() => running.kill("SIGKILL"));
  return running;
};

const read = (name: string) => {
  try {
    return readFileSync(join(cwd, name), "utf8");
  } catch {
    return "";
  }
};

/** How the last permit ended; undefined while it is in force. */
const lastEnd = (fixture: GovernorFixture) =>
  fixture.history().findLast(({ kind }) => kind === "ended");

const states = async (fixture: GovernorFixture) => {
  const { permits } = (await fixture.send("GET", "/v1/permits")).body as {
    permits: { vm: string; state: string; holder?: { pid: number } }[];
  };
  return permits;
};

/** Has the only permit there is, until it is given back. */
async function occupy(fixture: GovernorFixture): Promise<() => Promise<unknown>> {
  await fixture.send("POST", "/v1/permits", { key: "first", vm: "first", leaseMs: 600_000 });
  return () => fixture.send("POST", "/v1/permits/key=first/release");
}

const waiting = (fixture: GovernorFixture, vm: string) =>
  until(() => fixture.history().some((event) => event.kind === "asked" && event.ask.vm === vm));

describe("the command", () => {
  test("has our input, output and surroundings, and its status is ours", async () => {
    const fixture = await governor(CAP_1);
    const script = "cat; echo out; echo err >&2; echo $MARK $#; exit 7";
    const ended = bootstorm(words(fixture, "--quiet", "--", "sh", "-c", script, "x", "a b", "--"), {
      cwd,
      input: "in\n",
      env: { ...process.env, MARK: "mark" },
    });
    expect(ended).toMatchObject({ status: 7, stdout: "in\nout\nmark 2\n", stderr: "err\n" });
    expect(lastEnd(fixture)).toMatchObject({ how: "released", outcome: { failed: true } });
  });

  test("that a signal ends: we end by it too", async () => {
    const fixture = await governor(CAP_1);
    const run = startPermit(fixture, "--", "sh", "-c", "kill -TERM $$");
    expect(await run.ended).toMatchObject({ status: null, signal: "SIGTERM" });
  });

  test("has the signals that are sent to us", async () => {
    const fixture = await governor(CAP_1);
    const traps =
      "for s in HUP INT USR1; do trap \"echo $s\" $s; done; trap 'exit 9' TERM; echo up";
    const run = startPermit(fixture, "--", "sh", "-c", `${traps}; while :; do sleep 0.05; done`);
    await until(() => run.said().includes("up"));
    for (const name of ["HUP", "INT", "USR1"] as const) {
      run.kill(`SIG${name}`);
      await until(() => run.said().includes(`${name}\n`));
    }
    run.kill("SIGTERM");
    expect(await run.ended).toMatchObject({ status: 9, stdout: "up\nHUP\nINT\nUSR1\n" });
  });

  test("that does not exist: nothing is asked for", async () => {
    const fixture = await governor(CAP_1);
    const { status, stderr } = permit(fixture, "--", "no such program");
    expect([status, stderr]).toEqual([2, expect.stringContaining("COMMAND_NOT_STARTED")]);
    expect(fixture.history().filter(({ kind }) => kind === "asked")).toEqual([]);
  });

  test.for([
    [["permit"], "nothing to run"],
    [["permit", "--ask"], "--key is missing"],
    [["permit", "--ask", "--key", "k", "--", "true"], "a command after --"],
    [["permit", "--ask", "--renew", "--key", "k"], "cannot be used with"],
    [["permit", "--holder", "1", "--", "true"], "--holder and --failed are for"],
    [["permit", "--ready", "console", "--", "true"], "is none of exit, after:SECONDS"],
    [["permit", "--url", "http://x/y", "--", "true"], "is not http://HOST:PORT"],
    [["permit", "--url", "http://x", "--", "true"], "go together"],
    [["permit", "--key", "a\nb", "--", "true"], "none of them control"],
  ] as const)("wrong use, status 2: %s", ([args, words]) => {
    const { status, stdout, stderr } = bootstorm(args, { cwd });
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(words);
  });
});

describe("ready", () => {
  const readyDocument = async (how: string, script: string, ...more: string[]) => {
    const fixture = await governor(CAP_1);
    const ended = permit(
      fixture,
      ...["--ready", how, "--json=out.json", ...more, "--", "sh", "-c", script],
    );
    const document = JSON.parse(read("out.json"));
    expect(schemaErrors("permit", document)).toEqual([]);
    return { ...ended, boot: document.result.boot, end: lastEnd(fixture) };
  };

  test("exit: when the command ends with 0", async () => {
    const { boot, end } = await readyDocument("exit", "exit 0");
    expect(boot.outcome).toBe("ready");
    expect(end).toMatchObject({ how: "released", outcome: { failed: false } });
  });

  test("console: when the text has come, though the command goes on; all of it passes", async () => {
    const fixture = await governor(CAP_1);
    const script =
      "echo boot; printf 'log'; printf 'in: '; while ! [ -e end ]; do sleep 0.05; done";
    const run = startPermit(fixture, "--ready", "console:login:", "--", "sh", "-c", script);
    await until(() => lastEnd(fixture) !== undefined);
    expect(lastEnd(fixture)).toMatchObject({ how: "released", outcome: { failed: false } });
    expect(lastEnd(fixture)).toHaveProperty("outcome.bootNs");
    expect(lastEnd(fixture)).toHaveProperty("outcome.cpuNs");
    writeFileSync(join(cwd, "end"), "");
    expect(await run.ended).toMatchObject({ status: 0, stdout: "boot\nlogin: " });
  });

  test("file: when it is made anew; one that was there before is not meant", async () => {
    writeFileSync(join(cwd, "ready"), "old");
    const fixture = await governor(CAP_1);
    const script = "echo up; cat; echo new >ready.new; mv ready.new ready; exec sleep 3600";
    const run = startPermit(fixture, "--ready", "file:ready", "--", "sh", "-c", script);
    await until(() => run.said().includes("up"));
    expect(lastEnd(fixture)).toBeUndefined();
    run.endInput();
    await until(() => lastEnd(fixture) !== undefined);
    expect(lastEnd(fixture)).toMatchObject({ how: "released", outcome: { failed: false } });
    run.kill("SIGTERM");
    expect((await run.ended).signal).toBe("SIGTERM");
  });

  test("after: nobody knows how it went, and no policy learns of it", async () => {
    const { boot, end } = await readyDocument("after:0.1", "sleep 1");
    expect(boot.outcome).toBe("unknown");
    expect(end).toMatchObject({ how: "released" });
    expect(end).not.toHaveProperty("outcome");
  });

  test.for([
    ["console:login:", "echo nothing", []],
    ["console:login:", "echo 'Kernel panic - not syncing: x'; sleep 1", []],
    ["file:never", "sleep 1", ["--boot-limit", "0.2"]],
    ["after:30", "exit 1", []],
  ] as const)("%s, and it never is: %s", async ([how, script, more]) => {
    const { boot, end } = await readyDocument(how, script, ...more);
    expect(boot.outcome).toBe("failed");
    expect(end).toMatchObject({ how: "released", outcome: { failed: true } });
  });
});

describe("whoever dies", () => {
  test("the command's process holds the permit", async () => {
    const fixture = await governor({ ...CAP_1, ...LONG });
    const run = startPermit(fixture, "--vm", "web", "--", "sh", "-c", "echo $$; exec sleep 3600");
    await until(() => /\d+\n/.test(run.said()));
    const pid = Number(/^(\d+)$/m.exec(run.said())![1]);
    expect(await states(fixture)).toMatchObject([{ vm: "web", state: "granted", holder: { pid } }]);
    run.kill("SIGKILL");
    await gone(run.pid);
    expect(isAlive(pid)).toBe(true);
    expect((await states(fixture)).length).toBe(1);
    process.kill(pid, "SIGKILL");
    await until(() => lastEnd(fixture) !== undefined);
    expect(lastEnd(fixture)).toMatchObject({ how: "launcher-died" });
  });

  test("the wrapper, and the VM lives on: its permit ends with the lease", async () => {
    const fixture = await governor({ ...CAP_1, lease: { defaultMs: 500, maxMs: 500 } });
    const run = startPermit(fixture, "--", "sh", "-c", "echo $$; exec sleep 3600");
    await until(() => /\d+\n/.test(run.said()));
    const pid = Number(/^(\d+)$/m.exec(run.said())![1]);
    cleanups.push(() => isAlive(pid) && process.kill(pid, "SIGKILL"));
    run.kill("SIGKILL");
    await until(() => lastEnd(fixture) !== undefined);
    expect(lastEnd(fixture)).toMatchObject({ how: "expired" });
    expect(isAlive(pid)).toBe(true);
  });

  test.for([
    ["SIGKILL", null],
    ["SIGINT", 130],
    ["SIGTERM", 130],
  ] as const)(
    "the wrapper while it waits, by %s: nothing begins, and its place is left",
    async ([signal, status]) => {
      const fixture = await governor({ ...CAP_1, lease: { defaultMs: 2_000, maxMs: 600_000 } });
      await occupy(fixture);
      const run = startPermit(fixture, "--vm", "web", "--", "touch", "begun");
      await waiting(fixture, "web");
      const gate = JSON.parse(JSON.stringify(await states(fixture)))[1].holder.pid;
      run.kill(signal);
      expect((await run.ended).status).toBe(status);
      await gone(gate);
      await until(() => lastEnd(fixture) !== undefined);
      // Who is killed before it listens leaves its place to the lease.
      expect(lastEnd(fixture)).toMatchObject({ how: expect.stringMatching(/^(gave-up|expired)$/) });
      expect(existsSync(join(cwd, "begun"))).toBe(false);
    },
  );

  test("the daemon, while it waits: it is started again, and the command begins in its turn", async () => {
    const fixture = await governor({ ...CAP_1, ...LONG });
    const release = await occupy(fixture);
    const run = startPermit(fixture, "--patience", "60", "--vm", "web", "--", "echo", "begun");
    await waiting(fixture, "web");
    await fixture.end("SIGKILL");
    await fixture.start();
    expect(run.said()).not.toContain("begun");
    await release();
    expect(await run.ended).toMatchObject({ status: 0, stdout: "begun\n" });
  });

  test("the daemon, for good: the command goes on, and its end says so", async () => {
    const fixture = await governor(CAP_1);
    const run = startPermit(fixture, "--ready", "exit", "--", "sh", "-c", "echo up; cat");
    await until(() => run.said().includes("up"));
    await fixture.end("SIGKILL");
    run.endInput();
    const { status, stderr } = await run.ended;
    expect(status).toBe(0);
    expect(stderr).toContain("has not heard that the boot is over");
  });
});

describe("without a decision", () => {
  const attempt = (fixture: GovernorFixture, ...flags: string[]) =>
    permit(fixture, "--patience", "0.2", ...flags, "--", "echo", "begun");

  test("nobody there: closed unless it is said; open says why it starts", () => {
    const fixture = fixtureOf(CAP_1);
    const closed = attempt(fixture);
    expect(closed).toMatchObject({ status: 3, stdout: "" });
    expect(closed.stderr).toContain("NO_PERMIT");
    expect(closed.stderr).toContain("there is no socket");
    const open = attempt(fixture, "--when-unavailable", "open", "--json=out.json");
    expect(open).toMatchObject({ status: 0, stdout: "begun\n" });
    expect(open.stderr).toContain("it starts all the same (--when-unavailable: open)");
    expect(schemaErrors("permit", JSON.parse(read("out.json")))).toEqual([]);
    expect(JSON.parse(read("out.json")).result).toMatchObject({ decision: "open" });
  });

  test("one that hangs", async () => {
    const fixture = fixtureOf(CAP_1);
    await listen(createServer(), fixture);
    const run = startPermit(fixture, "--patience", "0.2", "--", "echo", "begun");
    const { status, stdout, stderr } = await run.ended;
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("it does not answer within");
  });

  test.for([
    ["open", "closed", 0, "begun\n"],
    ["closed", "open", 3, ""],
  ] as const)(
    "what the governor said itself goes before the flag: %s before %s",
    async ([configured, flag, status, stdout]) => {
      const fixture = fixtureOf(CAP_1);
      const body = JSON.stringify({ error: { message: "it ends" }, whenUnavailable: configured });
      const ending = createHttpServer((_, response) => void response.writeHead(503).end(body));
      await listen(ending, fixture);
      const flags = ["--patience", "0.2", "--when-unavailable", flag];
      const run = startPermit(fixture, ...flags, "--", "echo", "begun");
      expect(await run.ended).toMatchObject({ status, stdout });
      expect(run.said()).toContain(`(the governor: ${configured})`);
    },
  );

  test("a socket that is somebody else's", async (ctx) => {
    const missing = needs("root", "program setpriv");
    if (missing) return ctx.skip(missing);
    const fixture = await governor(CAP_1);
    spawnSync("chmod", ["755", fixture.folder, cwd]);
    const nobody = { cwd, command: asNobody(join(cwd, "copy")) };
    const flags = ["--patience", "60", "--", "echo", "begun"];
    const { status, stdout, stderr } = bootstorm(words(fixture, ...flags), nobody);
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain(`you may not open ${fixture.socketPath}`);
  });

  test("a deadline is a decision: nothing begins, though it is open", async () => {
    const fixture = await governor({ ...CAP_1, whenUnavailable: "open" });
    await occupy(fixture);
    const { status, stdout, stderr } = attempt(
      fixture,
      ...["--deadline", "0.1", "--when-unavailable", "open"],
    );
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toContain("DEADLINE_PASSED");
    expect(stderr).toContain("1 boot in service, cap 1 as configured");
  });
});

/** Something else is where the governor should be. */
async function listen(server: Server, { socketPath }: GovernorFixture): Promise<void> {
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  cleanups.push(() => server.close());
}

test("over TCP with the token; a wrong one is no decision, at once", async () => {
  const fixture = fixtureOf({});
  const port = 20_000 + (process.pid % 20_000);
  const tokenFile = join(fixture.folder, "token");
  writeFileSync(tokenFile, "0123456789abcdef0123\n", { mode: 0o600 });
  fixture.configure({ ...CAP_1, listen: { port, tokenFile } });
  await fixture.start();
  const over = (file: string) =>
    bootstorm(
      ["permit", "--url", `http://127.0.0.1:${port}`, "--token-file", file, "--", "echo", "begun"],
      { cwd },
    );
  expect(over(tokenFile)).toMatchObject({ status: 0, stdout: "begun\n" });
  // Numbers of processes mean nothing beyond a network.
  const asked = fixture.history().find((event) => event.kind === "asked");
  expect(asked).not.toHaveProperty("ask.holder");
  const wrong = join(cwd, "token");
  writeFileSync(wrong, "wrong0123456789abcdef\n", { mode: 0o600 });
  const { status, stdout, stderr } = over(wrong);
  expect([status, stdout]).toEqual([3, ""]);
  expect(stderr).toContain("this listener wants a token");
});

test("without a command: ask, renew, release; the same key is the same permit", async () => {
  const fixture = await governor({ ...CAP_1, ...LONG });
  const verb = (...flags: string[]) => permit(fixture, "--key", "k", ...flags);
  expect(verb("--renew")).toMatchObject({ status: 1, stdout: "not in force\n" });
  const asked = verb("--ask", "--vm", "bad\u0007name", "--json");
  const document = JSON.parse(asked.stdout);
  expect(schemaErrors("permit", document)).toEqual([]);
  expect(document.result).toMatchObject({ decision: "granted", permit: { key: "k" } });
  expect(await states(fixture)).toMatchObject([{ vm: "bad?name" }]);
  expect(JSON.parse(verb("--ask", "--json").stdout).result.permit).toEqual(document.result.permit);
  const vm = spawn("sleep", ["3600"], { stdio: "ignore" });
  cleanups.push(() => vm.kill("SIGKILL"));
  expect(startTicksOf(vm.pid!)).toBeDefined();
  const renewed = verb("--renew", "--holder", String(vm.pid), "--lease", "100");
  expect(renewed).toMatchObject({ status: 0, stdout: "renewed\n" });
  expect(await states(fixture)).toMatchObject([{ holder: { pid: vm.pid } }]);
  expect(verb("--release", "--failed")).toMatchObject({ status: 0, stdout: "released\n" });
  expect(lastEnd(fixture)).toMatchObject({ how: "released", outcome: { failed: true } });
  const holderGone = verb("--ask", "--holder", String(2 ** 22));
  expect([holderGone.status, holderGone.stderr]).toEqual([
    3,
    expect.stringContaining("HOLDER_GONE"),
  ]);
});
