// The protocol with a VMM that we play: a good one, and bad ones.
import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { openQmp } from "./qmp.ts";

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const LIMIT_MS = 60_000;

/** One end of a connection, and what it has seen. */
function connect() {
  const seen: string[] = [];
  const asked: { execute: string; id: number; arguments?: unknown }[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk, _, done) {
      asked.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const qmp = openQmp(stream, {
    onReady: () => seen.push("ready"),
    onEvent: (name, data) => seen.push(`event ${name} ${JSON.stringify(data)}`),
    onFault: (why) => seen.push(`fault ${why}`),
  });
  /** Speaks as the VMM, and lets what follows happen. */
  const say = async (text: string | Uint8Array) => {
    stream.push(text);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { qmp, seen, asked, say, stream };
}

async function connected() {
  const peer = connect();
  await peer.say(GREETING);
  await peer.say('{"return": {}, "id": 1}\r\n');
  return peer;
}

test("greeting, negotiation, commands and events", async () => {
  const { qmp, seen, asked, say } = await connected();
  expect(seen).toEqual(["ready"]);
  const first = qmp.execute("cont", { limitMs: LIMIT_MS });
  const second = qmp.execute("system_reset", { args: { hard: true }, limitMs: LIMIT_MS });
  // Answers may come in another order, and events in between.
  await say('{"error": {"class": "GenericError", "desc": "no\\u001b[31m\\nsecond"}, "id": 3}\n');
  await say('{"timestamp": {}, "event": "SHUTDOWN", "data": {"reason": "guest-reset"}}\n');
  await say('{"return": {"a": [1]}, "id": 2}\n');
  expect(await first).toEqual({ ok: true, value: { a: [1] } });
  expect(await second).toEqual({ ok: false, why: "no" });
  expect(seen.slice(1)).toEqual(['event SHUTDOWN {"reason":"guest-reset"}']);
  expect(asked).toEqual([
    { execute: "qmp_capabilities", id: 1 },
    { execute: "cont", id: 2 },
    { execute: "system_reset", arguments: { hard: true }, id: 3 },
  ]);
});

test("where the VMM's writes end changes nothing", async () => {
  const text = Buffer.from(
    `${GREETING}{"return": {}, "id": 1}\r\n{"event": "STOP"}\r\n{"event": "RESUME", "data": 4}\r\n`,
  );
  const cuts = fc.array(fc.nat({ max: text.length }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(cuts, async (at) => {
      const { seen, say } = connect();
      const ends = [0, ...at, text.length].sort((a, b) => a - b);
      for (let i = 1; i < ends.length; i += 1) {
        if (ends[i] !== ends[i - 1]) await say(text.subarray(ends[i - 1], ends[i]));
      }
      // The answer may come in the piece that asks for it: it was asked for when the greeting came.
      expect(seen.toSorted()).toEqual(["event RESUME {}", "event STOP {}", "ready"]);
    }),
    { numRuns: 30 },
  );
});

test.each([
  ["garbage", "\u0000\u001b[2J<html>\n", "QMP sent what is not a JSON object: <html>"],
  ["a number", "17\n", "QMP sent what is not a JSON object: 17"],
  ["null", "null\n", "QMP sent what is not a JSON object: null"],
  ["a list", "[]\n", "QMP sent what is not a JSON object: []"],
  ["an answer before the greeting", '{"return": 1}\n', "QMP did not begin with a greeting"],
  [
    "an answer to another",
    `${GREETING}{"return": {}, "id": 7}\n`,
    "QMP answered what nobody asked",
  ],
  ["an answer without id", `${GREETING}{"return": {}}\n`, "QMP answered what nobody asked"],
  ["an id that is no number", `${GREETING}{"return": {}, "id": "1"}\n`, "nobody asked"],
  ["a long line", `${GREETING}{"event": "${"x".repeat(70_000)}"}\n`, "more than 65536 bytes"],
  ["a line without end", "x".repeat(10 << 20), "more than 65536 bytes"],
  ["deep nesting", `${"[".repeat(65_000)}\n`, "QMP sent what is not a JSON object"],
])("%s ends the talk with a reason, and nothing more is read", async (_, text, why) => {
  const { qmp, seen, say, stream } = connect();
  await say(text);
  expect(seen).toEqual([expect.stringContaining(`fault`)]);
  expect(seen[0]).toContain(why);
  expect(seen[0]!.length).toBeLessThan(200);
  expect(stream.destroyed).toBe(true);
  expect(await qmp.execute("cont", { limitMs: LIMIT_MS })).toMatchObject({ ok: false });
});

test("a VMM that refuses to begin is at fault", async () => {
  const { seen, say } = connect();
  await say(GREETING);
  await say('{"error": {"desc": "not today"}, "id": 1}\n');
  expect(seen).toEqual(["fault QMP refused to begin: not today"]);
});

test("an answer that does not come in time is a result; when it comes late, it harms nobody", async () => {
  const { qmp, seen, say } = await connected();
  const why = "no answer to cont within 1 ms";
  expect(await qmp.execute("cont", { limitMs: 1 })).toEqual({ ok: false, why });
  await say('{"return": {}, "id": 2}\n');
  expect(seen).toEqual(["ready"]);
});

test("a VMM that ends leaves no question open, and is not at fault", async () => {
  const { qmp, seen, stream } = await connected();
  const answer = qmp.execute("cont", { limitMs: LIMIT_MS });
  stream.destroy();
  expect(await answer).toEqual({ ok: false, why: "QMP is closed" });
  expect(seen).toEqual(["ready"]);
  expect(qmp.isOpen()).toBe(false);
});
