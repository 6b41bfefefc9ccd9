// What it costs to be watched by the governor: 80 processes that pass messages and wait for locks of
// every kind, without a permit, with one and the CPUs looked at, and with the lock recorder beside it.
//   sudo npx tsx bench/govern-signals.ts [rounds]
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { quantileSorted } from "../src/core/stats/distribution.ts";
import { startTicksOf } from "../src/host/exec/start-time.ts";
import { GovernorFixture } from "../test/fixtures/governor.ts";

const [rounds = 9] = process.argv.slice(2).map(Number);
const LOAD = "read go; perf bench sched messaging -g 2 -l 5000 >/dev/null; times";
const ARMS = ["no permit", "host-cpu", "host-cpu and lock-wait"] as const;
type Arm = (typeof ARMS)[number];

interface Round {
  /** CPU time of the load, s. */
  readonly loadS: number;
  /** CPU time of the daemon, ms for each second of the load. */
  readonly daemonMsPerS: number;
}

const configOf = (arm: Arm) => ({
  policy: [{ name: "boot-cap", options: { boots: 64 } }],
  signals: { lockWait: arm === "host-cpu and lock-wait" ? "on" : "off" },
});
const fixture = new GovernorFixture(configOf("no permit"));
await fixture.start();

/** Fields 14 and 15 of its stat, in ticks of 10 ms. */
function daemonCpuMs(): number {
  const fields = readFileSync(`/proc/${fixture.pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function round(arm: Arm): Promise<Round> {
  fixture.configure(configOf(arm));
  await fixture.send("POST", "/v1/reload");
  const child = spawn("sh", ["-c", LOAD], { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const holder = { pid: child.pid!, startTicks: startTicksOf(child.pid!)! };
  const body = { key: `${child.pid}`, vm: "load", holder };
  if (arm !== "no permit") await fixture.send("POST", "/v1/permits", body);
  const start = { cpuMs: daemonCpuMs(), ns: process.hrtime.bigint() };
  child.stdin.end("go\n");
  await ended;
  const tookS = Number(process.hrtime.bigint() - start.ns) / 1e9;
  const daemonMsPerS = (daemonCpuMs() - start.cpuMs) / tookS;
  if (arm === "host-cpu and lock-wait") {
    const { signals } = (await fixture.send("GET", "/v1/state")).body as {
      signals: { lockWait: unknown };
    };
    console.log(`  ${JSON.stringify(signals.lockWait)}`);
  }
  // The last line: "0m1.31s 0m4.01s", user and system time of the children.
  const last = said.trim().split("\n").at(-1)!;
  const times = [...last.matchAll(/(\d+)m([\d.]+)s/g)];
  const loadS = times.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
  return { loadS, daemonMsPerS };
}

const results = new Map<Arm, Round[]>(ARMS.map((arm) => [arm, []]));
for (let i = 0; i < rounds; i += 1) {
  // Another order each time.
  for (let j = 0; j < ARMS.length; j += 1) {
    const arm = ARMS[(i + j) % ARMS.length]!;
    results.get(arm)!.push(await round(arm));
  }
}
for (const [arm, all] of results) {
  const spread = (of: (round: Round) => number) => {
    const sorted = Float64Array.from(all, of).sort();
    const at = (q: number) => quantileSorted(sorted, q).toFixed(2);
    return `${at(0.5)} (${at(0)} to ${at(1)})`;
  };
  const load = spread(({ loadS }) => loadS);
  const daemon = spread(({ daemonMsPerS }) => daemonMsPerS);
  console.log(`${arm}: CPU time of the load ${load} s, of the daemon ${daemon} ms a second`);
}
await fixture.end("SIGTERM");
await fixture.remove();
