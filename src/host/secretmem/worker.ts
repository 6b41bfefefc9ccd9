// The program of one pressure process. It does what its crew orders, one order at a time, and ends
// with the crew: at SIGKILL of the parent by PR_SET_PDEATHSIG, otherwise when the channel closes.
// All its secret memory is freed by the kernel at its end, if not before.
import { readdirSync } from "node:fs";
import type { RoundKind } from "../../core/analyze/pressure.ts";
import { assert } from "../../core/assert.ts";
import { loadLibc, MAP_FAILED, SYSCALL } from "../exec/libc.ts";
import { unseenNs, waitBusily } from "./busy-wait.ts";
import { readMemlockLimit } from "./memlock.ts";
import { type Order, PAGE_BYTES, type Reply, type WorkerBirth } from "./protocol.ts";

// Values of the kernel's headers, the same on every architecture we run on:
// linux/prctl.h, asm-generic/resource.h, asm-generic/mman-common.h, asm/errno.h.
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const SIGKILL = 9;
const RLIMIT_MEMLOCK = 8;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MADV_NOHUGEPAGE = 15;
const ESRCH = 3;

// A worker that sleeps until the line wakes up to 0.1 ms late (timer slack and wake-up), one that
// spins all the way keeps the crew from running on its CPU. So: sleep, and spin the rest.
const SPIN_NS = 300_000;

const libc = loadLibc();
const sleepCell = new Int32Array(new SharedArrayBuffer(4));
let mapping: Mapping | undefined;

interface Mapping {
  /** One a file. */
  readonly addresses: readonly bigint[];
  readonly bytesPerFile: number;
  /** Busy wait after each file that is freed. */
  readonly delay: Delay;
}

interface Delay {
  readonly askedNs: bigint;
  /** What each takes beside what it sees itself. */
  readonly unseenNs: number;
}

const birth = JSON.parse(process.argv[2]!) as WorkerBirth;
endWithParent(birth.parentPid);
process.on("message", (order: Order) => say(answer(order)));
say(attempt(() => ready(birth)));

function ready({ cpu, memlockBytes }: WorkerBirth): Reply {
  pinAllThreads(cpu);
  return { said: "ready", memlockBytes: raiseMemlock(memlockBytes) };
}

function answer(order: Order): Reply {
  switch (order.do) {
    case "map":
      return attempt(() => map(order));
    case "fill":
      return fill(order.atNs);
    case "free":
      return attempt(() => free(order.atNs));
  }
}

/** Maps fresh memory of which no page exists yet: the pages come with the first stores. */
function map({ kind, pages, files, delayNs }: Order & { do: "map" }): Reply {
  assert(mapping === undefined, "a worker maps once a round");
  const bytesPerFile = (pages / files) * PAGE_BYTES;
  const addresses = Array.from({ length: files }, () => mapFile(kind, bytesPerFile));
  const askedNs = BigInt(delayNs);
  const delay = { askedNs, unseenNs: delayNs === 0 ? 0 : unseenNs() };
  mapping = { addresses, bytesPerFile, delay };
  return { said: "mapped" };
}

function mapFile(kind: RoundKind, bytes: number): bigint {
  const fd =
    kind === "secret"
      ? call("memfd_secret", libc.syscall(SYSCALL.memfdSecret, 0))
      : call("memfd_create", libc.memfdCreate("bootstorm-control", 0));
  try {
    call("ftruncate", libc.ftruncate(fd, bytes));
    const address = libc.mmap(0n, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    call("mmap", address === MAP_FAILED ? -1 : 0);
    // Secret memory never has huge pages; where shared memory may, keep the control from it. A
    // kernel without huge pages answers EINVAL, which suits us.
    libc.madvise(address, bytes, MADV_NOHUGEPAGE);
    return address;
  } finally {
    // Now the mapping is the last reference: `free` gives the pages back within munmap.
    libc.close(fd);
  }
}

/** One call covers all pages of a file, so that between two faults there are a few stores and no JavaScript. */
function fill(atNs: bigint): Reply {
  assert(mapping !== undefined, "a worker fills what it has mapped");
  const { addresses, bytesPerFile } = mapping;
  const before = preemptionsSoFar();
  const inTime = waitUntil(atNs);
  const startNs = process.hrtime.bigint();
  for (const address of addresses) libc.memset(address, 0x5a, bytesPerFile);
  const endNs = process.hrtime.bigint();
  const preemptions = preemptionsSoFar() - before;
  return { said: "done", span: { startNs, endNs }, inTime, delayNs: 0, preemptions };
}

/**
 * The kernel puts each page back into the direct map, without a flush, before munmap returns: with
 * the last mapping the file goes, and with it its pages.
 */
function free(atNs: bigint): Reply {
  assert(mapping !== undefined, "a worker frees what it has mapped");
  const { addresses, bytesPerFile, delay } = mapping;
  const before = preemptionsSoFar();
  const inTime = waitUntil(atNs);
  let worst = 0;
  let waitedNs = 0;
  const startNs = process.hrtime.bigint();
  for (const address of addresses) {
    worst |= libc.munmap(address, bytesPerFile);
    if (delay.askedNs > 0n) waitedNs += waitBusily(delay.askedNs);
  }
  const endNs = process.hrtime.bigint();
  call("munmap", worst);
  mapping = undefined;
  const preemptions = preemptionsSoFar() - before;
  const delayNs = waitedNs / addresses.length + delay.unseenNs;
  return { said: "done", span: { startNs, endNs }, inTime, delayNs, preemptions };
}

/** Of all threads of the process: they share its CPU. */
function preemptionsSoFar(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

/** @returns false when the instant was over before */
function waitUntil(atNs: bigint): boolean {
  const leftNs = Number(atNs - process.hrtime.bigint());
  if (leftNs > SPIN_NS) Atomics.wait(sleepCell, 0, 0, (leftNs - SPIN_NS) / 1e6);
  while (process.hrtime.bigint() < atNs);
  return leftNs > 0;
}

function endWithParent(parentPid: number): void {
  process.on("disconnect", () => process.exit());
  libc.prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above; then this process has another one by now.
  if (process.ppid !== parentPid) process.exit();
  // The terminal sends these to the whole group. The crew decides when its workers end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
  // SIGBUS is how newer kernels refuse secret memory: an answer, not a crash to keep a core of.
  libc.prctl(PR_SET_DUMPABLE, 0);
}

/** All threads, so that the garbage collector's do not disturb another worker's CPU. */
function pinAllThreads(cpu: number): void {
  const mask = new Uint8Array(8 * (Math.floor(cpu / 64) + 1));
  mask[cpu >> 3] = 1 << (cpu & 7);
  for (const tid of readdirSync("/proc/self/task")) {
    const result = libc.schedSetaffinity(Number(tid), mask.length, mask);
    const threadHasEnded = result < 0 && libc.errno() === ESRCH;
    if (!threadHasEnded) call("sched_setaffinity", result);
  }
}

/** Raises the limit of this process only, as far as it may. @returns the limit it has then */
function raiseMemlock(wantedBytes: number): number {
  const { softBytes, hardBytes } = readMemlockLimit();
  if (softBytes >= wantedBytes) return softBytes;
  const wanted = BigInt(wantedBytes);
  const hard = hardBytes === Number.POSITIVE_INFINITY ? RLIM_INFINITY : BigInt(hardBytes);
  // Above the hard limit only with CAP_SYS_RESOURCE; otherwise up to it.
  const above = new BigUint64Array([wanted, hard > wanted ? hard : wanted]);
  const upToHard = new BigUint64Array([hard, hard]);
  if (libc.setrlimit(RLIMIT_MEMLOCK, above) < 0) libc.setrlimit(RLIMIT_MEMLOCK, upToHard);
  return readMemlockLimit().softBytes;
}

class CallFailed extends Error {
  readonly reply: Reply;
  constructor(call: string, errno: number) {
    super(call);
    this.reply = { said: "failed", call, errno };
  }
}

function call(name: string, result: number): number {
  if (result < 0) throw new CallFailed(name, libc.errno());
  return result;
}

function attempt(work: () => Reply): Reply {
  try {
    return work();
  } catch (error) {
    if (error instanceof CallFailed) return error.reply;
    throw error;
  }
}

function say(reply: Reply): void {
  process.send!(reply);
}
