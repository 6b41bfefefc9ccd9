// The calendar, beside C++ std::priority_queue on the same hold model in the same run.
//   npx tsx bench/sim-calendar.ts
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Calendar } from "../src/core/sim/calendar.ts";

const EVENTS = 10_000_000;
const RUNS = 5;

/** Exponential increments, the same table for both: mean 4,000 ns. */
const increments = new Float64Array(65_536);
let state = 1;
for (let i = 0; i < increments.length; i += 1) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  increments[i] = Math.round(-4000 * Math.log((state + 0.5) / 2 ** 32));
}

function hold(pending: number): { rate: number; end: number } {
  const calendar = new Calendar(pending);
  for (let id = 0; id < pending; id += 1) calendar.schedule(id, increments[id & 65_535]!);
  const start = performance.now();
  for (let i = 0; i < EVENTS; i += 1) {
    const id = calendar.pop();
    calendar.schedule(id, calendar.now + increments[i & 65_535]!);
  }
  return { rate: EVENTS / (performance.now() - start) / 1000, end: calendar.now };
}

const PEER = `
#include <cstdio>
#include <cstdint>
#include <cstdlib>
#include <queue>
#include <vector>
#include <chrono>
struct Event { int64_t at; uint64_t seq; int id; };
struct Later { bool operator()(const Event&a,const Event&b)const{return a.at!=b.at?a.at>b.at:a.seq>b.seq;} };
int main(int argc,char**argv){
  int pending=atoi(argv[1]); long events=atol(argv[2]);
  std::vector<int64_t> inc; for(int64_t v; scanf("%ld",&v)==1;) inc.push_back(v);
  std::priority_queue<Event,std::vector<Event>,Later> q; uint64_t seq=0;
  for(int i=0;i<pending;i++) q.push({inc[i&65535],seq++,i});
  auto t=std::chrono::steady_clock::now(); int64_t now=0;
  for(long i=0;i<events;i++){ Event e=q.top(); q.pop(); now=e.at; q.push({e.at+inc[i&65535],seq++,e.id}); }
  double s=std::chrono::duration<double>(std::chrono::steady_clock::now()-t).count();
  printf("%f %ld\\n",events/s/1e6,now);
}`;

function buildPeer(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
  writeFileSync(join(folder, "peer.cpp"), PEER);
  try {
    execFileSync("g++", [
      "-O3",
      "-march=native",
      "-o",
      join(folder, "peer"),
      join(folder, "peer.cpp"),
    ]);
    return join(folder, "peer");
  } catch {
    console.log("g++ is missing: no peer");
    return undefined;
  }
}

const peer = buildPeer();
const input = [...increments].join("\n");
console.log("hold model, exponential increments, mean 4,000 ns; best of 5, million events/s");
for (const pending of [256, 65_536]) {
  let best = { rate: 0, end: 0 };
  let other = { rate: 0, end: 0 };
  for (let run = 0; run < RUNS; run += 1) {
    const ours = hold(pending);
    if (ours.rate > best.rate) best = ours;
    if (peer === undefined) continue;
    const [rate, end] = execFileSync(peer, [`${pending}`, `${EVENTS}`], { input, encoding: "utf8" })
      .split(" ")
      .map(Number);
    if (rate! > other.rate) other = { rate: rate!, end: end! };
  }
  const same = peer === undefined || best.end === other.end ? "same end" : "DIFFERENT END";
  console.log(
    `${pending} pending: calendar ${best.rate.toFixed(1)}, std::priority_queue ${other.rate.toFixed(1)}; ${same}`,
  );
}
