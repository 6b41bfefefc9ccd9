// An abusive neighbour against boots, with and without a quota: processes that take and free secret
// pages without end, in a group of their own, beside real VMs that boot one after the other.
// Arms are interleaved and in turn: alone, beside the abuser, beside the abuser with its quota.
// Run: npx tsx bench/quota.ts [REPETITIONS] [BOOTS] [SYSTEM_CPUS] [MEANS]; needs root, QEMU and a
// kernel in /boot.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { QuotaRow } from "../src/app/governor/quota/quota.ts";
import { ratioOfMedians } from "../src/core/stats/bootstrap.ts";
import { distributionOf } from "../src/core/stats/distribution.ts";
import { groupOfPath, readHierarchies } from "../src/host/cgroup/hierarchy.ts";
import { foldersBelow, membersOf, moveProcess } from "../src/host/cgroup/members.ts";
import { WEIGHT } from "../src/host/cgroup/settings.ts";
import { takeGroup } from "../src/host/cgroup/take.ts";
import { startVm } from "../src/host/qemu/vm.ts";
import { type Crew, startCrew } from "../src/host/secretmem/crew.ts";
import { GovernorFixture } from "../test/fixtures/governor.ts";
import { type Guest, prepareGuest, qemuAsk } from "../test/fixtures/vms.ts";

const SEED = 20_260_601;
/**
 * Boots and abuser are two groups of equal weight in one that has the greatest there is: what else
 * this machine does matters little to them, and they share the CPUs as two VMs of a host do.
 */
const PARENT = "bootstorm-bench";
const ABUSER = `${PARENT}/abuser`;
const BOOTS = `${PARENT}/boots`;
/** Each goes on by itself: in one crew they would wait for each other between the rounds. */
const CREWS = 4;
const PAGES = 512;
/** From the first round of a second on which finds an abuser, to its quota. */
const SETTLE_S = 8;

const ARMS = ["alone", "abuser", "abuser with quota"] as const;
type Arm = (typeof ARMS)[number];

/** The abuser itself, as a process of its own: once all crews are there, rounds without end, each a byte. */
async function abuse(): Promise<never> {
  const { signal } = new AbortController();
  const options = { processes: 1, pages: PAGES, answerLimitMs: 60_000, signal };
  const crews = await Promise.all(Array.from({ length: CREWS }, () => startCrew(options)));
  const rounds = async (crew: Crew): Promise<never> => {
    for (;;) {
      await crew.round({ kind: "secret", processes: 1, pages: PAGES });
      process.stdout.write(".");
    }
  };
  return Promise.race(crews.map(rounds));
}
if (process.argv[2] === "abuse") await abuse();

const [repetitions = 6, boots = 3, systemCpus = 0.05] = process.argv.slice(2).map(Number);
const means = process.argv[5] === undefined ? ["freeze", "limit"] : [process.argv[5]];

const hierarchies = readHierarchies();
const mounts = [...new Set([hierarchies.v2, hierarchies.v1Cpu, hierarchies.v1Cpuacct])].flatMap(
  (mount) => mount ?? [],
);

/** In every hierarchy that can measure or slow. */
function makeGroups(): void {
  for (const mount of mounts) {
    mkdirSync(join(mount, PARENT), { recursive: true });
    if (mount === hierarchies.v2 && groupOfPath("/", hierarchies, "limit").kind === "v2") {
      writeFileSync(join(mount, "cgroup.subtree_control"), "+cpu");
      writeFileSync(join(mount, PARENT, "cgroup.subtree_control"), "+cpu");
    }
    for (const path of [ABUSER, BOOTS]) mkdirSync(join(mount, path), { recursive: true });
    moveProcess(process.pid, join(mount, BOOTS));
  }
  const parent = groupOfPath(`/${PARENT}`, hierarchies, "weight");
  if (parent.kind === "none") throw new Error(parent.why);
  takeGroup(parent).setWeight(WEIGHT.max);
}

function removeGroups(): void {
  for (const mount of mounts) {
    // A process that pauses lives a little longer than its daemon.
    for (const pid of membersOf(join(mount, PARENT))) moveProcess(pid, mount);
    for (const path of foldersBelow(join(mount, PARENT)).toReversed()) rmdirSync(path);
  }
}

interface Abuser {
  readonly child: ChildProcess;
  rounds: number;
}

async function startAbuser(): Promise<Abuser> {
  const script = fileURLToPath(import.meta.url);
  // It waits until it is in its group, so that all it starts is in it too.
  const child = spawn(
    "/bin/sh",
    ["-c", 'read -r _; exec "$@"', "sh", process.execPath, ...process.execArgv, script, "abuse"],
    {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    },
  );
  for (const mount of mounts) moveProcess(child.pid!, join(mount, ABUSER));
  child.stdin.end("\n");
  const abuser: Abuser = { child, rounds: 0 };
  child.stdout.on("data", (bytes: Buffer) => {
    abuser.rounds += bytes.length;
  });
  await once(child.stdout, "data");
  return abuser;
}

async function endAbuser({ child }: Abuser): Promise<void> {
  process.kill(-child.pid!, "SIGKILL");
  await once(child, "close");
}

const pause = (s: number) => new Promise((resolve) => setTimeout(resolve, s * 1000));

/** From its request until it is ready, s. */
async function boot(guest: Guest): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
  const { seen, outcome } = await startVm(qemuAsk(folder, guest)).done;
  rmSync(folder, { recursive: true });
  if (seen.ready === undefined) throw new Error(`a VM did not boot: ${outcome}`);
  return seen.ready.atNs / 1e9;
}

interface Result {
  readonly bootS: readonly number[];
  /** Pages that the abuser took and gave back, a second. */
  readonly pagesPerS: number;
  readonly row: QuotaRow | undefined;
}

async function play(arm: Arm, guest: Guest): Promise<Result> {
  const abuser = arm === "alone" ? undefined : await startAbuser();
  const mode = arm === "abuser with quota" ? "enforce" : "dry-run";
  daemon.configure({ quota: { mode, systemCpus, means, groups: [ABUSER] } });
  await daemon.send("POST", "/v1/reload");
  await pause(SETTLE_S);
  const start = { rounds: abuser?.rounds ?? 0, ns: process.hrtime.bigint() };
  const times: number[] = [];
  while (times.length < boots) times.push(await boot(guest));
  const tookS = Number(process.hrtime.bigint() - start.ns) / 1e9;
  const { quota } = (await daemon.send("GET", "/v1/state")).body as {
    quota: { watched: QuotaRow[] };
  };
  const done = (abuser?.rounds ?? 0) - start.rounds;
  if (abuser !== undefined) await endAbuser(abuser);
  return {
    bootS: times,
    pagesPerS: (done * PAGES) / tookS,
    row: quota.watched.find(({ name }) => name === `/${ABUSER}`),
  };
}

/** Median, and the range of all. */
function spread(values: readonly number[], digits: number): string {
  const { median, max } = distributionOf(values);
  return `${median.toFixed(digits)} [${Math.min(...values).toFixed(digits)}–${max.toFixed(digits)}]`;
}

makeGroups();
const images = mkdtempSync(join(tmpdir(), "bootstorm-bench-"));
const guest = await prepareGuest(images);
const daemon = new GovernorFixture({});
await daemon.start();
await boot(guest); // Files are in memory from here on.
const results = new Map<Arm, Result[]>(ARMS.map((arm) => [arm, []]));
for (let i = 0; i < repetitions; i += 1) {
  // Each arm is first, second and last equally often.
  for (let j = 0; j < ARMS.length; j += 1) {
    const arm = ARMS[(i + j) % ARMS.length]!;
    const result = await play(arm, guest);
    results.get(arm)!.push(result);
    const load = readFileSync("/proc/loadavg", "latin1").split(" ")[0];
    console.log(
      `${i + 1} ${arm}: boots ${result.bootS.map((each) => each.toFixed(2)).join(" ")} s, load ${load} ${JSON.stringify(result.row ?? {})}`,
    );
  }
}
await daemon.remove();
removeGroups();
rmSync(images, { recursive: true });

const bootsOf = (arm: Arm) => results.get(arm)!.flatMap(({ bootS }) => bootS);
console.log(`${repetitions} times ${boots} boots an arm, quota ${systemCpus} CPUs of kernel time`);
for (const [arm, all] of results) {
  const { value, low, high } = ratioOfMedians(bootsOf(arm), bootsOf("alone"), SEED);
  const pages = all.map(({ pagesPerS }) => pagesPerS / 1000);
  const cpus = all.map(({ row }) => row?.systemCpus ?? 0);
  console.log(`${arm}: a boot ${spread(bootsOf(arm), 2)} s`);
  console.log(`  ${value.toFixed(2)} times alone (95 %: ${low.toFixed(2)}–${high.toFixed(2)})`);
  console.log(
    `  the abuser: ${spread(pages, 1)} thousand pages/s, ${spread(cpus, 2)} CPUs of kernel time`,
  );
}
