// The governor under load: launchers on connections of their own ask, are granted, release and ask
// again, so that all but the cap of them always wait. A history checker reads the journal afterwards.
//   npx tsx bench/govern.ts [launchers] [seconds] [permits per second; 0: as many as go]
// It wants two CPUs of its own, one for the daemon and one for the launchers.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { checkHistory } from "../src/core/govern/history.ts";
import { GovernorFixture } from "../test/fixtures/governor.ts";

const [launchers = 10_000, seconds = 10, rate = 5000] = process.argv.slice(2).map(Number);
const CAP = 64;
const WARM_UP_S = 2;
/** So many are connected at once, for the listener's backlog. */
const CONNECT_AT_ONCE = 500;
const CONNECT_AGAIN_MS = 50;

const fixture = new GovernorFixture({
  policy: [{ name: "boot-cap", options: { boots: CAP } }],
  lease: { defaultMs: 60_000, maxMs: 60_000 },
  queueMax: launchers + 1000,
  journalMiBMax: 256,
});

let granted = 0;
let keys = 0;
let isOver = false;
/** From the release that leaves until somebody's grant arrives, and back: as launchers see it, ms. */
const releaseMs: number[] = [];

function requestText(path: string, body: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

/** Releases of those in service, in the order of their grants; so many a second leave. */
const due: (() => void)[] = [];
let firstNs: bigint | undefined;
let left = 0;

function pace(): void {
  firstNs ??= process.hrtime.bigint();
  const elapsedS = Number(process.hrtime.bigint() - firstNs) / 1e9;
  // What the launchers were late with is not made up for in one burst.
  left = Math.max(left, Math.floor(elapsedS * rate) - CAP);
  for (; left < elapsedS * rate && due.length > 0; left += 1) due.shift()!();
  if (!isOver) setTimeout(pace, 1);
}

/** Asks, releases and asks again until it is over. */
function launch(socket: Socket): void {
  let buffered = "";
  let releasedNs: bigint | undefined;
  const ask = () => {
    keys += 1;
    socket.write(requestText("/v1/permits", `{"key":"${keys}","vm":"vm"}`));
  };
  socket.setEncoding("latin1").on("data", (text: string) => {
    buffered += text;
    const headEnd = buffered.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(buffered)?.[1]);
    if (buffered.length < headEnd + 4 + length) return;
    const head = buffered.slice(9, 12);
    const body = buffered.slice(headEnd + 4);
    buffered = "";
    if (head !== "200") throw new Error(`${head} ${body}`);
    if (isOver) return;
    if (releasedNs !== undefined) {
      releaseMs.push(Number(process.hrtime.bigint() - releasedNs) / 1e6);
      releasedNs = undefined;
      ask();
      return;
    }
    granted += 1;
    const id = /"id":"([^"]+)"/.exec(body)![1]!;
    const release = () => {
      releasedNs = process.hrtime.bigint();
      socket.write(requestText(`/v1/permits/${id}/release`, "{}"));
    };
    if (rate === 0) release();
    else due.push(release);
  });
  ask();
}

/** While 4,096 connections wait to be accepted, the kernel refuses others with EAGAIN. */
function connected(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(fixture.socketPath);
    socket.once("connect", () => resolve(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EAGAIN") reject(error);
      else setTimeout(() => connected().then(resolve, reject), CONNECT_AGAIN_MS);
    });
  });
}

const pause = (s: number) => new Promise((resolve) => setTimeout(resolve, s * 1000));

/** Share of observations of the daemon's histogram that are at most so many seconds. */
function histogram(text: string): Map<string, number> {
  const rows = text.matchAll(/^bootstorm_decision_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm);
  return new Map([...rows].map(([, le, count]) => [le!, Number(count)]));
}

/** CPU time of the daemon so far, s: fields 14 and 15 of its stat, in ticks of 10 ms. */
function daemonCpuS(): number {
  const fields = readFileSync(`/proc/${fixture.pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

await fixture.start();
const sockets: Socket[] = [];
while (sockets.length < launchers) {
  const next = Math.min(CONNECT_AT_ONCE, launchers - sockets.length);
  sockets.push(...(await Promise.all(Array.from({ length: next }, connected))));
}
for (const socket of sockets) launch(socket);
if (rate > 0) pace();
await pause(WARM_UP_S);
const before = histogram((await fixture.send("GET", "/metrics")).text);
const state = (await fixture.send("GET", "/v1/state")).body;
const start = { granted, ns: process.hrtime.bigint(), cpuS: daemonCpuS() };
releaseMs.length = 0;
await pause(seconds);
const took = Number(process.hrtime.bigint() - start.ns) / 1e9;
const done = granted - start.granted;
const cpuUs = ((daemonCpuS() - start.cpuS) / done) * 1e6;
const after = histogram((await fixture.send("GET", "/metrics")).text);
isOver = true;
for (const socket of sockets) socket.destroy();
await fixture.end("SIGTERM");

const total = after.get("+Inf")! - before.get("+Inf")!;
releaseMs.sort((a, b) => a - b);
const quantile = (q: number) => releaseMs[Math.floor(q * (releaseMs.length - 1))]!.toFixed(2);
console.log(`launchers ${launchers}, cap ${CAP}, in the middle: ${JSON.stringify(state.permits)}`);
console.log(
  `permits granted and released: ${Math.round(done / took)} per second over ${took.toFixed(1)} s`,
);
console.log(`CPU time of the daemon: ${cpuUs.toFixed(0)} µs a permit (one ask, one release)`);
console.log(`decisions ${total}; share within`);
for (const [le, count] of after) {
  console.log(`  ${le} s  ${((100 * (count - before.get(le)!)) / total).toFixed(3)} %`);
}
console.log(`release as seen by launchers: median ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`);
const history = fixture.history();
const faults = checkHistory(history, { cap: CAP, toleranceNs: 1e9 });
console.log(`history of ${history.length} events: ${faults.length} faults`);
for (const { at, fault } of faults.slice(0, 10)) console.log(`  event ${at}: ${fault}`);
await fixture.remove();
process.exit(faults.length === 0 ? 0 : 1);
