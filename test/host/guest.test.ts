// Our guest, booted for real by the command lines that storms are made of.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_MACHINE, type TinyProfile } from "../../src/core/scenario/machine.ts";
import { findKernel } from "../../src/host/guest/kernel-image.ts";
import { chooseAccelerator } from "../../src/host/qemu/accelerator.ts";
import {
  commandLine,
  type FoundForQemu,
  type GuestOrders,
  type Machine,
} from "../../src/host/qemu/command-line.ts";
import { findQemu } from "../../src/host/qemu/version.ts";
import { openCache } from "../../src/host/store/cache.ts";
import { type Guest, prepareGuest, vmNeeds } from "../fixtures/vms.ts";
import { needs } from "../needs.ts";

const { signal } = new AbortController();

let folder: string;
let guest: Guest | undefined;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  if (vmNeeds() === undefined) guest = await prepareGuest(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a VM said on its channels until it ended. */
interface Spoken {
  readonly console: string;
  readonly debugPort: string;
  readonly firmware: string;
  readonly qmp: string;
  readonly stderr: string;
  readonly code: number | null;
}

/** Machines under emulation, which works everywhere. */
function emulated(profile: Partial<TinyProfile>, found: Partial<FoundForQemu> = {}): Machine {
  return {
    kind: "qemu",
    profile: { ...DEFAULT_MACHINE, ...profile },
    found: { program: "qemu-system-x86_64", accelerator: "tcg", cpu: "max", ...guest!, ...found },
  };
}

/** @param enough  the VM is ended when this is on its console */
function boot(
  machine: Machine,
  { name = "vm", orders, enough }: { name?: string; orders?: GuestOrders; enough?: RegExp },
): Promise<Spoken> {
  const place = { index: 0, dir: folder, memoryMiB: 256, vcpus: 1, cpus: "0" };
  const { program, args } = commandLine(machine, {
    name,
    ...place,
    ...(orders === undefined ? {} : { orders }),
  });
  const pipes = ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"] as const;
  const vm = spawn(program, args, { stdio: [...pipes] });
  const text = ["", "", "", "", "", ""];
  for (const fd of [1, 2, 3, 4, 5]) {
    const pipe = vm.stdio[fd] as Duplex;
    pipe.on("error", () => {});
    pipe.on("data", (piece: Buffer) => {
      text[fd] += piece.toString("latin1");
      if (fd === 4 && text[4]!.includes('"QMP"') && !text[4]!.includes('"return"')) {
        for (const execute of ["qmp_capabilities", "query-name", "cont"]) {
          pipe.write(`${JSON.stringify({ execute })}\n`);
        }
      }
      if (fd === 1 && enough?.test(text[1]!)) vm.kill("SIGKILL");
    });
  }
  return new Promise((resolve) => {
    vm.on("close", (code) => {
      const [, console, stderr, debugPort, qmp, firmware] = text as [string, ...string[]];
      resolve({ console, stderr, debugPort, qmp, firmware, code } as Spoken);
    });
  });
}

test.for(["microvm", "pc", "q35"] as const)(
  "on %s a guest's kernel, init and readiness are told, in this order, and the guest ends",
  async (machine, context) => {
    const missing = vmNeeds();
    if (missing) return context.skip(missing);
    const spoken = await boot(emulated({ machine }), { orders: { after: "exit" } });
    expect(spoken.stderr).toBe("");
    expect(spoken.console).toMatch(
      /Linux version [\s\S]*^bootstorm: init \d+\.\d\d\r$[\s\S]*^bootstorm: ready \d+\.\d\d\r$/m,
    );
    expect(spoken.debugPort, "one byte each").toBe("ir");
    if (machine === "microvm") expect(spoken.firmware, "qboot is silent").toBe("");
    else expect(spoken.firmware).toMatch(/^SeaBIOS \(version /);
    expect(spoken.qmp).toContain('"RESUME"');
    expect(spoken.qmp).toContain('"guest-reset"');
    expect(spoken.code).toBe(0);
  },
);

test("a name of a VM is a name to QEMU, whatever it holds", async (context) => {
  const missing = vmNeeds();
  if (missing) return context.skip(missing);
  const name = "a,debug-threads=off,process=x\n-version ,,";
  const spoken = await boot(emulated({}), { name, enough: /Linux version/ });
  const answers = spoken.qmp.split("\r\n").filter((line) => line.includes('"name"'));
  expect(answers.map((line) => JSON.parse(line).return.name)).toEqual([name]);
});

test.for([
  { fault: "panic", says: /Kernel panic - not syncing/, code: 0 },
  { fault: "exit", says: /reboot: Restarting system/, code: 0 },
  { fault: "loop", says: /bootstorm: init \d+\S*\r\n/, code: null },
  { fault: "flood", says: /(console flood of a test\r\n){2000}/, code: null },
])(
  "a guest that is to $fault reports init, never ready",
  async ({ fault, says, code }, context) => {
    const missing = vmNeeds();
    if (missing) return context.skip(missing);
    const orders = { after: "exit" as const, fault };
    const enough = code === null ? { enough: says } : {};
    const spoken = await boot(emulated({}), { orders, ...enough });
    expect(spoken.console).toMatch(says);
    expect(spoken.console).toMatch(/^bootstorm: init /m);
    expect(spoken.console).not.toContain("bootstorm: ready");
    expect(spoken.debugPort).not.toContain("r");
    expect(spoken.code).toBe(code);
  },
);

test("the machine of SNP guests boots a plain one: only the SNP object is not tried here", async (context) => {
  const missing = vmNeeds("file /usr/share/seabios/bios-256k.bin");
  if (missing) return context.skip(missing);
  const machine = emulated({}, { firmware: "/usr/share/seabios/bios-256k.bin" });
  const spoken = await boot(machine, { orders: { after: "exit" } });
  expect(spoken.stderr).toBe("");
  expect(spoken.debugPort).toBe("ir");
});

test("cpio reads of our archive what we put there", async (context) => {
  const missing = vmNeeds("program cpio");
  if (missing) return context.skip(missing);
  const listed = spawnSync("cpio", ["-itv", "--quiet"], {
    input: readFileSync(guest!.initramfs),
    encoding: "utf8",
  });
  expect(listed.stderr).toBe("");
  const names = listed.stdout
    .trim()
    .split("\n")
    .map((line) => line.replace(/^.*1970 /, ""));
  expect(names).toEqual([
    ...["bin", "dev", "proc", "sys", "dev/console", "bin/busybox"],
    ...["sh", "mount", "reboot", "sleep", "yes"].map((name) => `bin/${name} -> busybox`),
    ...["bin/mark", "init"],
  ]);
  expect(listed.stdout).toMatch(/^crw-------.* 5, +1 .*dev\/console$/m);
});

test("the kernel of the distribution is unpacked to an ELF file with a PVH entry", async (context) => {
  const missing = needs("program readelf") ?? vmNeeds();
  if (missing) return context.skip(missing);
  const notes = spawnSync("readelf", ["-n", guest!.kernel], { encoding: "utf8" }).stdout;
  expect(notes).toMatch(/Xen\s+0x\w+\s+Unknown note type: \(0x00000012\)/);
});

test("auto takes what runs a guest here, says why it took nothing better, and remembers it", async (context) => {
  const missing = vmNeeds();
  if (missing) return context.skip(missing);
  const cache = openCache(folder);
  const steps: string[] = [];
  const ask = {
    profile: DEFAULT_MACHINE,
    qemu: await findQemu({ signal }),
    kernel: (as: "pvh" | "bzImage") => findKernel(undefined, { as, cache, signal }),
    initramfs: guest!.initramfs,
    cache,
    signal,
    onStep: (what: string) => steps.push(what),
  };
  const choice = await chooseAccelerator(ask);
  const order = ["snp", "kvm", "tcg"];
  expect(choice.refused.map(({ accelerator }) => accelerator)).toEqual(
    order.slice(0, order.indexOf(choice.accelerator)),
  );
  for (const { evidence } of choice.refused) expect(evidence).not.toBe("");
  expect(steps.length).toBeGreaterThan(0);
  steps.length = 0;
  const again = await chooseAccelerator(ask);
  expect(steps, "nothing is booted twice").toEqual([]);
  expect([again.accelerator, again.cpu]).toEqual([choice.accelerator, choice.cpu]);

  const machine: Machine = {
    kind: "qemu",
    profile: DEFAULT_MACHINE,
    found: { program: ask.qemu.program, initramfs: guest!.initramfs, ...choice },
  };
  const spoken = await boot(machine, { orders: { after: "exit" } });
  expect(spoken.debugPort, "and it is what a VM then runs with").toBe("ir");
});
