// The governor's daemon as launchers meet it: over its socket, killed, without disk, abused.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get, request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkHistory } from "../../src/core/govern/history.ts";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import { bootstorm, schemaErrors } from "../cli/bootstorm.ts";
import { runGovernFaults } from "../fixtures/govern-faults.ts";
import { type Answered, GovernorFixture } from "../fixtures/governor.ts";
import { needs } from "../needs.ts";

const CAP_1 = { policy: [{ name: "boot-cap", options: { boots: 1 } }] };
const FOREVER = { lease: { defaultMs: 600_000, maxMs: 600_000 } };
const HANGS_AFTER_MS = 120_000;

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function governor(config: unknown, folder?: string): Promise<GovernorFixture> {
  const fixture = new GovernorFixture(config, folder);
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

/** A process that does nothing, to hold a permit. */
function holder() {
  const child = spawn("sleep", ["3600"], { stdio: "ignore" });
  cleanups.push(() => void child.kill("SIGKILL"));
  const ended = new Promise((resolve) => child.once("close", resolve));
  return {
    holder: { pid: child.pid!, startTicks: startTicksOf(child.pid!)! },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const ask = (fixture: GovernorFixture, key: string, more = {}) =>
  fixture.send("POST", "/v1/permits", { key, vm: key, ...more });

const permitOf = ({ body }: Answered) => body.permit as Readonly<Record<string, unknown>>;
const codeOf = ({ body }: Answered) => (body.error as { code: string } | undefined)?.code;

/** The permits by key. */
async function states(fixture: GovernorFixture): Promise<Record<string, unknown>> {
  const { permits } = (await fixture.send("GET", "/v1/permits")).body as {
    permits: { key: string; state: string }[];
  };
  return Object.fromEntries(permits.map(({ key, state }) => [key, state]));
}

const eventually = (look: () => Promise<void>) =>
  vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 20 });

/** Until so many wait: a request that was sent has come in. */
const untilWaiting = (fixture: GovernorFixture, key: string) =>
  eventually(async () => expect(await states(fixture)).toMatchObject({ [key]: "waiting" }));

test("60 rounds of kill -9 at random points: never above the cap, none twice, none lost", async () => {
  const seed = 20_260_601;
  console.log(`seed ${seed}; again: npx tsx bench/govern-faults.ts 60 ${seed}`);
  const { faults, daemonsKilled, granted } = await runGovernFaults(seed, 60);
  expect(faults).toEqual([]);
  expect(daemonsKilled).toBeGreaterThan(10);
  expect(granted).toBeGreaterThan(20);
});

test("a long poll is answered when its turn comes, with the reason; the release may be said twice", async () => {
  const fixture = await governor(CAP_1);
  const first = await ask(fixture, "a");
  expect(first.status).toBe(200);
  const second = ask(fixture, "b");
  await untilWaiting(fixture, "b");
  const looked = await ask(fixture, "c", { wait: false });
  expect([looked.status, permitOf(looked)]).toMatchObject([202, { state: "waiting", position: 1 }]);
  const path = `/v1/permits/${permitOf(first).id}/release`;
  expect((await fixture.send("POST", path, { outcome: "ready", bootMs: 5 })).status).toBe(200);
  expect((await fixture.send("POST", path)).status).toBe(200);
  const granted = await second;
  expect(granted.status).toBe(200);
  expect(permitOf(granted).why).toMatch(/^held .*: 1 boot in service, cap 1 as configured$/);
  expect(permitOf(await ask(fixture, "b")).id).toBe(permitOf(granted).id);
});

test("a deadline is answered 408; who closes the connection gives up", async () => {
  const fixture = await governor(CAP_1);
  await ask(fixture, "a");
  const late = await ask(fixture, "b", { deadlineMs: 20 });
  expect([late.status, codeOf(late)]).toEqual([408, "DEADLINE_PASSED"]);
  const { socketPath } = fixture;
  const message = request({ socketPath, method: "POST", path: "/v1/permits" });
  message.on("error", () => undefined);
  message.end(JSON.stringify({ key: "c", vm: "c" }));
  await untilWaiting(fixture, "c");
  message.destroy();
  await eventually(async () => expect(await states(fixture)).toEqual({ a: "granted" }));
});

test("the permit of a launcher that was killed goes to the next", async () => {
  const fixture = await governor({ ...CAP_1, ...FOREVER });
  const launcher = holder();
  await ask(fixture, "a", { holder: launcher.holder });
  const next = ask(fixture, "b");
  await launcher.kill();
  expect((await next).status).toBe(200);
  const gone = await ask(fixture, "c", { holder: launcher.holder });
  expect([gone.status, codeOf(gone)]).toEqual([409, "HOLDER_GONE"]);
});

test("after kill -9 permits are found again; those of dead holders are over, places are kept", async () => {
  const two = { policy: [{ name: "boot-cap", options: { boots: 2 } }] };
  const fixture = await governor({ ...two, ...FOREVER });
  const [alive, dead] = [holder(), holder()];
  const permit = permitOf(await ask(fixture, "alive", { holder: alive.holder }));
  await ask(fixture, "dead", { holder: dead.holder });
  await ask(fixture, "second", { wait: false });
  await ask(fixture, "third", { wait: false });
  await fixture.end("SIGKILL");
  await dead.kill();
  await fixture.start();
  expect(await states(fixture)).toEqual({ alive: "granted", second: "granted", third: "waiting" });
  expect(permitOf(await ask(fixture, "alive")).id).toBe(permit.id);
  expect(checkHistory(fixture.history(), { cap: 2, toleranceNs: 60e9 })).toEqual([]);
});

test("SIGTERM: who waits is told 503 and what to do, status 0, and the place is kept", async () => {
  const fixture = await governor({ ...CAP_1, ...FOREVER, whenUnavailable: "open" });
  await ask(fixture, "a");
  const waiting = ask(fixture, "b");
  await untilWaiting(fixture, "b");
  expect(await fixture.end("SIGTERM")).toBe(0);
  const answer = await waiting;
  expect([answer.status, codeOf(answer)]).toEqual([503, "ENDING"]);
  expect(answer.body.whenUnavailable).toBe("open");
  await fixture.start();
  expect(await states(fixture)).toEqual({ a: "granted", b: "waiting" });
});

test("a full disk: nobody is given a permit, and all goes on when there is room", async (ctx) => {
  const missing = needs("root", "program mount");
  if (missing) return ctx.skip(missing);
  const fixture = new GovernorFixture({ ...CAP_1, ...FOREVER });
  cleanups.push(() => fixture.remove());
  mkdirSync(fixture.stateFolder);
  const mount = ["-t", "tmpfs", "-o", "size=1m", "bootstorm-test", fixture.stateFolder];
  const mounted = spawnSync("mount", mount, { encoding: "utf8" });
  expect(mounted.status, mounted.stderr).toBe(0);
  cleanups.push(async () => {
    await fixture.end("SIGKILL");
    spawnSync("umount", [fixture.stateFolder]);
  });
  await fixture.start();
  const first = permitOf(await ask(fixture, "a"));
  const waiting = ask(fixture, "b");
  await untilWaiting(fixture, "b");
  fillDisk(fixture.stateFolder);
  // The page the journal ends in still has room for some lines.
  await eventually(async () => {
    const refused = await ask(fixture, "c".repeat(100), { vm: "v".repeat(100), wait: false });
    if (refused.status !== 503) {
      await fixture.send("POST", `/v1/permits/${permitOf(refused).id}/release`);
    }
    expect([refused.status, codeOf(refused)]).toEqual([503, "JOURNAL_FAILS"]);
    expect(refused.body.whenUnavailable).toBe("closed");
  });
  expect((await waiting).status).toBe(503);
  expect((await fixture.send("GET", "/healthz")).status).toBe(503);
  expect((await fixture.send("POST", `/v1/permits/${first.id}/release`)).status).toBe(503);
  rmSync(join(fixture.stateFolder, "filler"));
  await eventually(async () => expect((await fixture.send("GET", "/healthz")).status).toBe(200));
  expect((await fixture.send("POST", `/v1/permits/${first.id}/release`)).status).toBe(200);
  expect((await ask(fixture, "d")).status).toBe(200);
  await fixture.end("SIGKILL");
  await fixture.start();
  expect(await states(fixture)).toEqual({ d: "granted" });
  expect(fixture.said).toContain("no permits are granted: cannot write");
});

/** Writes until there is no room for another byte. */
function fillDisk(folder: string): void {
  spawnSync("sh", ["-c", `cat /dev/zero > '${folder}/filler'`], { stdio: "ignore" });
}

test("a damaged state is set aside with a message, and nothing is granted for the longest lease", async () => {
  const fixture = await governor({ ...CAP_1, lease: { defaultMs: 500, maxMs: 1500 } });
  await ask(fixture, "a");
  await fixture.end("SIGKILL");
  const file = join(fixture.stateFolder, "journal.jsonl");
  writeFileSync(file, readFileSync(file, "utf8").replace('"vm":"a"', '"vm":"b"'));
  await fixture.start();
  expect(fixture.said).toMatch(
    /the state was damaged and is set aside: .*line \d+ is not as it was/,
  );
  expect(fixture.stateFiles().some((name) => name.includes("damaged"))).toBe(true);
  const held = await ask(fixture, "b", { wait: false });
  expect(permitOf(held)).toMatchObject({ state: "waiting" });
  expect((await fixture.send("GET", "/healthz")).body.status).toBe("held");
  expect((await ask(fixture, "b")).status).toBe(200);
});

test("two daemons never share a socket or a state", async () => {
  const fixture = await governor(CAP_1);
  const { folder, configFile, stateFolder, socketPath } = fixture;
  const other = (socket: string, state: string) =>
    bootstorm(["govern", "--config", configFile, "--socket", socket, "--state", state], {
      cwd: folder,
    });
  for (const { status, stderr } of [
    other(join(folder, "other.sock"), stateFolder),
    other(socketPath, join(folder, "other")),
  ]) {
    expect([status, stderr]).toEqual([3, expect.stringContaining("GOVERN_RUNNING")]);
  }
  expect((await ask(fixture, "a")).status).toBe(200);
});

test("reload: another cap counts at once; a wrong file changes nothing", async () => {
  const fixture = await governor(CAP_1);
  await ask(fixture, "a");
  const waiting = ask(fixture, "b");
  await untilWaiting(fixture, "b");
  fixture.configure({ policy: [{ name: "boot-cap", options: { boots: 0 } }] });
  const wrong = await fixture.send("POST", "/v1/reload");
  expect([wrong.status, codeOf(wrong)]).toEqual([400, "SCENARIO_WRONG"]);
  fixture.configure({ policy: [{ name: "boot-cap", options: { boots: 2 } }], journalMiBMax: 9 });
  fixture.signal("SIGHUP");
  expect((await waiting).status).toBe(200);
  expect(fixture.said).toContain("a restart is needed for journalMiBMax");
});

test("events tell every decision with its explanation; metrics count them", async () => {
  const fixture = await governor(CAP_1);
  let heard = "";
  const { socketPath } = fixture;
  const listening = get({ socketPath, path: "/v1/events" }, (response) => {
    response.setEncoding("utf8").on("data", (text) => {
      heard += text;
    });
  });
  listening.on("error", () => undefined);
  await eventually(async () => expect(heard).toContain("retry"));
  await ask(fixture, "a");
  await ask(fixture, "b", { wait: false });
  await eventually(async () => expect(heard).toMatch(/event: asked\ndata: .*"key":"b"/));
  expect(heard).toMatch(/event: granted\ndata: \{.*"cap":1.*"why":"held .*: there was room"/);
  listening.destroy();
  const { text } = await fixture.send("GET", "/metrics");
  expect(text).toContain("\nbootstorm_permits_granted_total 1\n");
  expect(text).toContain("\nbootstorm_permits_waiting 1\n");
  expect(text.endsWith("# EOF\n")).toBe(true);
  const docs = readFileSync(new URL("../../docs/govern.md", import.meta.url), "utf8");
  for (const [, name] of text.matchAll(/^# TYPE (\w+)/gm)) expect(docs).toContain(`\`${name}`);
});

describe("whatever comes in, the answer is 4xx or a closed connection, and service goes on", () => {
  /** Sends bytes as they are. @returns all that came back until the connection was closed */
  function raw(path: string, bytes: string | Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(path);
      let said = "";
      socket.setEncoding("latin1").on("data", (text) => {
        said += text;
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(said));
      socket.end(bytes);
    });
  }

  test("fuzzed bytes, requests and bodies", async () => {
    const fixture = await governor(CAP_1);
    const { socketPath } = fixture;
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("v1", "permits", "release", "renew", "..", "%00"),
    );
    const path = fc.array(word, { maxLength: 5 }).map((words) => `/${words.join("/")}`);
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT");
    const text = fc
      .tuple(method, path, fc.oneof(fc.json(), fc.string(), fc.constant("")))
      .map(([verb, where, body]) => {
        const length = Buffer.byteLength(body);
        return `${verb} ${where} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n${body}`;
      });
    const anything = fc.oneof(text, fc.uint8Array({ maxLength: 300 }));
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => {
        const said = await raw(socketPath, bytes);
        if (said !== "") expect(said).toMatch(/^HTTP\/1.1 (4\d\d|200) /);
      }),
      { numRuns: 300 },
    );
    expect((await ask(fixture, "a")).status).toBe(200);
  });

  test("bodies and headers that are too large, JSON that is none", async () => {
    const fixture = await governor(CAP_1);
    const { socketPath } = fixture;
    const head = "POST /v1/permits HTTP/1.1\r\nhost: x\r\n";
    const said = await Promise.all([
      raw(socketPath, `${head}content-length: 999999999\r\n\r\n{`),
      raw(
        socketPath,
        `${head}transfer-encoding: chunked\r\n\r\n11000\r\n${"x".repeat(0x11000)}\r\n`,
      ),
      raw(socketPath, `${head}a: ${"x".repeat(20_000)}\r\n\r\n`),
      raw(socketPath, `${head}content-length: 5\r\n\r\n{"a":`),
      raw(socketPath, "\x16\x03\x01 hello\r\n\r\n"),
    ]);
    expect(said.map((text) => text.slice(9, 12))).toEqual(["413", "413", "431", "400", "400"]);
    expect((await ask(fixture, "a")).status).toBe(200);
  });

  test("slow clients are cut off, and nobody waits for them", async () => {
    const fixture = await governor(CAP_1);
    const slow = Array.from({ length: 50 }, (_, i) => {
      const socket = connect(fixture.socketPath);
      socket.on("error", () => undefined).resume();
      socket.write(
        "POST /v1/permits HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n".slice(0, i + 1),
      );
      return new Promise((resolve) => socket.on("close", resolve));
    });
    expect((await ask(fixture, "a")).status).toBe(200);
    await Promise.all(slow);
  });

  test("a TCP listener wants the token", async () => {
    const fixture = new GovernorFixture({});
    cleanups.push(() => fixture.remove());
    const tokenFile = join(fixture.folder, "token");
    const token = "0123456789abcdef0123";
    const port = await freePort();
    fixture.configure({ ...CAP_1, listen: { port, tokenFile } });
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o644 });
    await expect(fixture.start()).rejects.toThrow("BAD_TOKEN_FILE");
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    spawnSync("chmod", ["600", tokenFile]);
    await fixture.start();
    const statusWith = (authorization?: string) =>
      new Promise((resolve, reject) => {
        const headers = authorization === undefined ? {} : { authorization };
        const message = get({ port, path: "/v1/state", headers, agent: false }, (response) => {
          resolve(response.resume().statusCode);
        });
        message.on("error", reject);
      });
    expect(await statusWith()).toBe(401);
    expect(await statusWith("Bearer wrong")).toBe(401);
    expect(await statusWith(`Bearer ${token}`)).toBe(200);
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

test("--check prints the configuration, which keeps the schema and is one itself", async () => {
  const fixture = new GovernorFixture({ queueMax: 7 });
  cleanups.push(() => fixture.remove());
  const { folder, configFile } = fixture;
  const { status, stdout } = bootstorm(["govern", "--config", configFile, "--check", "--json"], {
    cwd: folder,
  });
  expect(status).toBe(0);
  const document = JSON.parse(stdout);
  expect(schemaErrors("govern", document)).toEqual([]);
  expect(document.result.configuration.queueMax).toBe(7);
  fixture.configure(document.result.configuration);
  const again = bootstorm(["govern", "--config", configFile, "--check"], { cwd: folder });
  expect(JSON.parse(again.stdout)).toEqual(document.result.configuration);
  fixture.configure({ queueMax: 0 });
  const wrong = bootstorm(["govern", "--config", configFile], { cwd: folder });
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    expect.stringContaining("queueMax: 0 is too few"),
  ]);
});
