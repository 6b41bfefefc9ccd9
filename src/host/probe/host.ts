import { machine, release } from "node:os";
import type { HostReadings, KvmReading, Reading } from "../../core/facts/host-readings.ts";
import { readCgroup } from "./cgroup.ts";
import { readCpus } from "./cpus.ts";
import { readDirectMap } from "./direct-map.ts";
import { unreadable } from "./file.ts";
import { readKallsyms } from "./kallsyms.ts";
import { readKernel } from "./kernel.ts";
import { readKernelLog } from "./kernel-log.ts";
import { openKvm, readKvm } from "./kvm.ts";
import { readProcess } from "./process.ts";
import { readProgram } from "./program.ts";
import { readSecretmem } from "./secretmem.ts";
import { readSettings } from "./settings.ts";
import { readSnp } from "./snp.ts";
import { readTracing } from "./tracing.ts";

/** No file and no `--version` takes this long on a host that is of any use. */
const READING_LIMIT_MS = 10_000;

export interface HostProbe {
  readonly signal: AbortSignal;
  /** Where the host's file system begins; a folder of fixtures in the tests. */
  readonly root?: string;
  /** Where to look for programs, as in the environment variable PATH. */
  readonly path?: string;
  /** Boot guests to see whether KVM works? It takes seconds; all else takes a moment. */
  readonly kvm?: boolean;
  /** For one guest. */
  readonly kvmLimitMs?: number;
  /** The kernel that guests boot; default: the first that is found in /boot. */
  readonly kernelImage?: string;
  onStep?(what: string): void;
}

/** Reads all that `doctor` judges. Leaves nothing behind and changes nothing. Never rejects. */
export async function probeHost(probe: HostProbe): Promise<HostReadings> {
  const { signal, root = "/", path = process.env.PATH ?? "" } = probe;
  const program = (command: string) =>
    reading(() => readProgram(command, { path, limitMs: READING_LIMIT_MS, signal }));
  probe.onStep?.("reading what the kernel says of itself");
  const [kallsyms, kernelLog, perf, bpftrace, qemu] = await Promise.all([
    reading(() => inTime(readKallsyms(root))),
    reading(() => readKernelLog(root, READING_LIMIT_MS, signal)),
    program("perf"),
    program("bpftrace"),
    program("qemu-system-x86_64"),
  ]);
  return {
    kernel: await reading(() => readKernel(root)),
    settings: await reading(() => readSettings(root)),
    process: await reading(() => readProcess(root)),
    cpus: await reading(() => readCpus(root)),
    directMap: await reading(() => readDirectMap(root)),
    secretmem: await reading(() => readSecretmem()),
    tracing: await reading(() => readTracing(root)),
    kallsyms,
    kernelLog,
    perf,
    bpftrace,
    qemu,
    // Last and alone: a guest that must share its CPU with our own reading looks slower than it is.
    kvm: await reading(() => probeKvm(probe, root, path)),
    snp: await reading(() => readSnp(root)),
    cgroup: await reading(() => readCgroup(root)),
  };
}

async function probeKvm(probe: HostProbe, root: string, path: string): Promise<KvmReading> {
  if (machine() !== "x86_64") {
    return { device: openKvm(root), notBooted: "our probe guest is for x86-64", guests: [] };
  }
  if (probe.kvm === false) return { device: openKvm(root), notBooted: "not asked for", guests: [] };
  return readKvm({
    root,
    path,
    release: release(),
    kernelImage: probe.kernelImage,
    limitMs: probe.kvmLimitMs ?? READING_LIMIT_MS,
    signal: probe.signal,
    onGuest: (what) => probe.onStep?.(what),
  });
}

/** What a probe answers, or why it could not. */
async function reading<T>(probe: () => Reading<T> | Promise<Reading<T>>): Promise<Reading<T>> {
  try {
    return await probe();
  } catch (error) {
    return unreadable(error);
  }
}

function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${READING_LIMIT_MS / 1000} s`));
    const timer = setTimeout(late, READING_LIMIT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
