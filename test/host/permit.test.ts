// A launcher's side of the governor: against the real daemon, and against others that answer instead.
import { spawn } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { checkHistory } from "../../src/core/govern/history.ts";
import { startTicksOf } from "../../src/host/exec/start-time.ts";
import {
  askForPermit,
  type Decision,
  keepPermit,
  releasePermit,
  renewPermit,
} from "../../src/host/governor/client.ts";
import type { GovernorAddress } from "../../src/host/governor/request.ts";
import { GovernorFixture } from "../fixtures/governor.ts";

const CAP_1 = { policy: [{ name: "boot-cap", options: { boots: 1 } }] };
const HANGS_AFTER_MS = 120_000;
/** Whoever waits as long for a governor has failed: see HANGS_AFTER_MS. */
const FOR_EVER_MS = 3_600_000;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function governor(config: unknown): Promise<GovernorFixture> {
  const fixture = new GovernorFixture(config);
  cleanups.push(() => fixture.remove());
  await fixture.start();
  return fixture;
}

const at = ({ socketPath }: { socketPath: string }): GovernorAddress => ({
  kind: "socket",
  path: socketPath,
});

const { signal: never } = new AbortController();

const ask = (address: GovernorAddress, key: string, options = {}): Promise<Decision> =>
  askForPermit(
    address,
    { key, vm: key },
    { signal: never, patienceMs: HANGS_AFTER_MS, ...options },
  );

/** The permit, which must have been granted. */
async function granted(decision: Promise<Decision>) {
  const found = await decision;
  if (found.kind !== "granted") throw new Error(JSON.stringify(found));
  return found.permit;
}

const eventually = (look: () => void | Promise<void>) =>
  vi.waitFor(look, { timeout: HANGS_AFTER_MS, interval: 20 });

async function liveKeys(fixture: GovernorFixture): Promise<Record<string, string>> {
  const { body } = await fixture.send("GET", "/v1/permits");
  const permits = body.permits as { key: string; state: string }[];
  return Object.fromEntries(permits.map(({ key, state }) => [key, state]));
}

test("who has to wait is told its position and why, and has the permit when its turn comes", async () => {
  const fixture = await governor(CAP_1);
  const first = await granted(ask(at(fixture), "a"));
  const seen: unknown[] = [];
  const second = ask(at(fixture), "b", { onWait: (permit: unknown) => seen.push(permit) });
  await eventually(() => expect(seen).not.toEqual([]));
  expect(seen[0]).toMatchObject({
    state: "waiting",
    position: 0,
    why: expect.stringContaining("1 boot in service, cap 1"),
  });
  expect(await releasePermit(at(fixture), first, { outcome: "ready" }, HANGS_AFTER_MS)).toBe(true);
  expect((await granted(second)).state).toBe("granted");
});

test("a deadline is a decision, and so is a queue that is full", async () => {
  const fixture = await governor({ ...CAP_1, queueMax: 1 });
  await granted(ask(at(fixture), "a"));
  const late = await ask(at(fixture), "b", { deadlineMs: 20 });
  expect(late).toMatchObject({ kind: "refused", refusal: { code: "DEADLINE_PASSED" } });
  const waits = ask(at(fixture), "c");
  await eventually(async () => expect(await liveKeys(fixture)).toMatchObject({ c: "waiting" }));
  expect(await ask(at(fixture), "d")).toMatchObject({
    kind: "refused",
    refusal: { code: "QUEUE_FULL" },
  });
  await releasePermit(at(fixture), { key: "a" }, { outcome: "ready" }, HANGS_AFTER_MS);
  await granted(waits);
});

test("aborting gives up: the place is left at once", async () => {
  const fixture = await governor(CAP_1);
  await granted(ask(at(fixture), "a"));
  const abort = new AbortController();
  const waits = ask(at(fixture), "b", { signal: abort.signal });
  const ended = expect(waits).rejects.toThrow("enough");
  await eventually(async () => expect(await liveKeys(fixture)).toMatchObject({ b: "waiting" }));
  abort.abort(new Error("enough"));
  await ended;
  await eventually(async () => expect(await liveKeys(fixture)).toEqual({ a: "granted" }));
});

describe("a daemon that is killed and started again", () => {
  test("while one waits: the same ask is granted, once", async () => {
    const fixture = await governor({ ...CAP_1, lease: { defaultMs: 600_000, maxMs: 600_000 } });
    await granted(ask(at(fixture), "a"));
    const waits = ask(at(fixture), "b");
    await eventually(async () => expect(await liveKeys(fixture)).toMatchObject({ b: "waiting" }));
    await fixture.end("SIGKILL");
    await fixture.start();
    await eventually(async () => expect(await liveKeys(fixture)).toMatchObject({ b: "waiting" }));
    await releasePermit(at(fixture), { key: "a" }, { outcome: "ready" }, HANGS_AFTER_MS);
    await granted(waits);
    expect(checkHistory(fixture.history(), { cap: 1, toleranceNs: 60e9 })).toEqual([]);
    const grants = fixture.history().filter(({ kind }) => kind === "granted");
    expect(grants.length).toBe(2);
  });

  test("while one is in force: it is renewed by whoever runs, and given back", async () => {
    const fixture = await governor({ ...CAP_1, lease: { defaultMs: 3_000, maxMs: 3_000 } });
    const permit = await granted(ask(at(fixture), "a"));
    const lost: string[] = [];
    const kept = keepPermit(at(fixture), permit, (why) => lost.push(why));
    const renewals = () => fixture.history().filter(({ kind }) => kind === "renewed").length;
    await eventually(() => expect(renewals()).toBeGreaterThan(0));
    await fixture.end("SIGKILL");
    const before = renewals();
    await fixture.start();
    // Longer than a lease.
    await eventually(() => expect(renewals()).toBeGreaterThan(before + 3));
    expect(await liveKeys(fixture)).toEqual({ a: "granted" });
    expect(await kept.release({ outcome: "ready", bootMs: 5, cpuMs: 3 }, HANGS_AFTER_MS)).toBe(
      true,
    );
    expect(fixture.history().at(-1)).toMatchObject({
      kind: "ended",
      how: "released",
      outcome: { failed: false, bootNs: 5e6, cpuNs: 3e6 },
    });
    expect(lost).toEqual([]);
  });
});

test("who keeps a permit that somebody else gives back is told; of an unknown outcome nobody learns", async () => {
  const fixture = await governor({ ...CAP_1, lease: { defaultMs: 3_000, maxMs: 3_000 } });
  const lost = vi.fn();
  keepPermit(at(fixture), await granted(ask(at(fixture), "a")), lost);
  await releasePermit(at(fixture), { key: "a" }, { outcome: "unknown" }, HANGS_AFTER_MS);
  await eventually(() => expect(lost).toHaveBeenCalledWith("released"));
  expect(fixture.history().at(-1)).not.toHaveProperty("outcome");
});

test("a renewal that names another holder: the permit ends with that one; who is gone is none", async () => {
  const fixture = await governor({ ...CAP_1, lease: { defaultMs: 600_000, maxMs: 600_000 } });
  await granted(ask(at(fixture), "a"));
  const gone = { holder: { pid: process.pid, startTicks: "1" } };
  expect(await renewPermit(at(fixture), { key: "a" }, gone, HANGS_AFTER_MS)).toBe(false);
  expect(await renewPermit(at(fixture), { key: "b" }, {}, HANGS_AFTER_MS)).toBe(false);
  const vm = spawn("sleep", ["3600"], { stdio: "ignore" });
  cleanups.push(() => vm.kill("SIGKILL"));
  const holder = { pid: vm.pid!, startTicks: startTicksOf(vm.pid!)! };
  expect(await renewPermit(at(fixture), { key: "a" }, { holder }, HANGS_AFTER_MS)).toBe(true);
  await fixture.end("SIGKILL");
  await fixture.start();
  expect(await liveKeys(fixture)).toEqual({ a: "granted" });
  vm.kill("SIGKILL");
  await eventually(async () => expect(await liveKeys(fixture)).toEqual({}));
  expect(fixture.history().at(-1)).toMatchObject({ kind: "ended", how: "launcher-died" });
});

test("a daemon that begins to hang while one waits is found out", async () => {
  const fixture = await governor(CAP_1);
  await granted(ask(at(fixture), "a"));
  const waits = ask(at(fixture), "b", { patienceMs: 150 });
  await eventually(async () => expect(await liveKeys(fixture)).toMatchObject({ b: "waiting" }));
  fixture.signal("SIGSTOP");
  expect(await waits).toEqual({
    kind: "none",
    why: expect.stringContaining("it does not answer within"),
  });
});

describe("no decision is never yes: what it says, and that it is said at once where it will not change", () => {
  const until = { patienceMs: 150 };

  test("nobody is there, nobody listens any more", async () => {
    const fixture = new GovernorFixture(CAP_1);
    cleanups.push(() => fixture.remove());
    expect(await ask(at(fixture), "a", until)).toEqual({
      kind: "none",
      why: `there is no socket ${fixture.socketPath}`,
    });
    await fixture.start();
    await fixture.end("SIGKILL");
    expect(await ask(at(fixture), "a", until)).toEqual({
      kind: "none",
      why: `nobody listens on ${fixture.socketPath}`,
    });
  });

  test("a deadline that passes while nobody answers", async () => {
    const fixture = new GovernorFixture(CAP_1);
    cleanups.push(() => fixture.remove());
    const found = await ask(at(fixture), "a", { patienceMs: FOR_EVER_MS, deadlineMs: 50 });
    expect(found.kind).toBe("none");
  });

  /** Something that listens where a governor should. */
  function pretender(server: Server): Promise<GovernorAddress> {
    const folder = new GovernorFixture(CAP_1);
    cleanups.push(() => folder.remove());
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      sockets.add(socket.on("error", () => undefined));
    });
    cleanups.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const path = join(folder.folder, "pretender.sock");
    return new Promise((resolve) => server.listen(path, () => resolve({ kind: "socket", path })));
  }

  const saying = (text: string) => createServer((socket) => void socket.end(text));
  const answering = (status: number, body: string) =>
    createHttpServer((_, response) => void response.writeHead(status).end(body));

  test.for([
    ["hangs", createServer(), "it does not answer within"],
    ["closes", saying(""), "the connection broke"],
    ["no HTTP", saying("SSH-2.0-OpenSSH_9.6\r\n"), "it is no HTTP"],
    ["no JSON", answering(200, "<html>it works</html>"), "it does not speak JSON"],
    ["no permit", answering(200, '{"permit":{"state":"granted"}}'), "it tells of no permit"],
    ["an empty yes", answering(200, "[]"), "it does not speak JSON"],
    ["endless", answering(200, `"${"x".repeat(1 << 20)}"`), "it says too much"],
    ["half", saying('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"a"'), "the connection broke"],
    ["its own error", answering(500, '{"error":{"message":"m","why":"w\\u001b"}}'), "m: w\\u{1b}"],
  ] as const)("what answers %s", async ([, server, why]) => {
    const address = await pretender(server);
    expect(await ask(address, "a", until)).toEqual({
      kind: "none",
      why: expect.stringContaining(why),
    });
  });

  test("503 with what to do then; 4xx at once, whatever the patience", async () => {
    const told = '{"error":{"code":"ENDING","message":"it ends"},"whenUnavailable":"open"}';
    const ending = await pretender(answering(503, told));
    expect(await ask(ending, "a", until)).toMatchObject({ kind: "none", whenUnavailable: "open" });
    const other = await pretender(answering(404, "{}"));
    expect(await ask(other, "a", { patienceMs: FOR_EVER_MS })).toEqual({
      kind: "none",
      why: "it answers with status 404",
    });
  });
});
