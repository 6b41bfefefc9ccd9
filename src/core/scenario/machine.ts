import { z } from "zod";

// What `storm` boots: a profile of a VM, in the scenario at `guests[].machine`. `simulate` ignores it.
// Memory, vCPUs and number are those of the guests' entry.

const path = (what: string) => argument().min(1).describe(what);
const append = () =>
  z
    .string()
    .max(2048)
    .refine(hasNoControl, "holds a control character")
    .default("")
    .describe("words for the kernel's command line, after ours");
const disk = () =>
  path("an image that every VM reads and none changes: qcow2 if named so, else raw").optional();
const extraArgs = () =>
  z.array(argument()).max(64).default([]).describe("further arguments of QEMU, as they are");
const readyTimeoutS = () =>
  z.number().positive().max(86_400).default(60).describe("not ready by then: the boot has failed");
const initramfs = () => path("default: built from busybox; none where a disk is named");

const tiny = z
  .strictObject({
    kind: z.literal("tiny"),
    kernel: path(
      "a bzImage or vmlinux; default: the newest in /boot that can be read, or none where pc or q35 have a disk",
    ).optional(),
    initramfs: initramfs().optional(),
    append: append(),
    machine: z.enum(["microvm", "pc", "q35"]).default("microvm").describe("QEMU's machine type"),
    accelerator: z
      .enum(["auto", "snp", "kvm", "tcg"])
      .default("auto")
      .describe("auto: the first of snp, kvm and tcg that runs a guest here"),
    disk: disk(),
    extraArgs: extraArgs(),
    readyTimeoutS: readyTimeoutS(),
  })
  .describe("QEMU, a kernel of this host, and an initramfs that reports and does nothing else");

/** Bit 17 of the policy is reserved and must be 1. Source: SEV-SNP Firmware ABI, guest policy. */
const POLICY_RESERVED = 1 << 17;

const snp = z
  .strictObject({
    kind: z.literal("snp"),
    firmware: path("OVMF for SNP, such as OVMF.amdsev.fd"),
    kernel: path("a bzImage; default: the newest in /boot; none where a disk is named").optional(),
    initramfs: initramfs().optional(),
    append: append(),
    disk: disk(),
    policy: z
      .int()
      .min(0)
      .max(0xffff_ffff)
      .refine((bits) => (bits & POLICY_RESERVED) !== 0, "bit 17 (0x20000) must be 1")
      .default(0x30000)
      .describe("the guest's SNP policy; 0x30000 allows SMT"),
    cbitpos: z.int().min(1).max(63).optional().describe("default: read from the CPU (CPUID)"),
    reducedPhysBits: z.int().min(1).max(63).optional().describe("default: read from the CPU"),
    kernelHashes: z
      .boolean()
      .default(true)
      .describe("measure kernel, initramfs and command line too; the firmware must know how"),
    idBlock: base64(96).optional().describe("base64 of 96 bytes; with idAuth"),
    idAuth: base64(4096).optional().describe("base64 of 4096 bytes; with idBlock"),
    authorKey: z.boolean().default(false).describe("idAuth holds an author key"),
    vcekDisabled: z.boolean().default(false).describe("sign reports with the VLEK only"),
    hostData: base64(32).optional().describe("base64 of 32 bytes, for the attestation report"),
    guestVisibleWorkarounds: base64(16).optional().describe("base64 of 16 bytes"),
    extraArgs: extraArgs(),
    readyTimeoutS: readyTimeoutS(),
  })
  .refine(({ idBlock, idAuth }) => (idBlock === undefined) === (idAuth === undefined), {
    path: ["idBlock"],
    error: "idBlock and idAuth need each other",
  })
  .describe("QEMU 9.1 or later, an SEV-SNP guest");

/** Does the firmware boot the disk, because no kernel is named? That of a microvm cannot. */
export function bootsFromDisk(profile: TinyProfile | SnpProfile): boolean {
  const firmwareCan = profile.kind === "snp" || profile.machine !== "microvm";
  return firmwareCan && profile.disk !== undefined && profile.kernel === undefined;
}

/** What a command may say of its VM, in braces. */
export const PLACEHOLDERS = ["name", "index", "dir", "memoryMiB", "vcpus", "cpus"] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

/** `{name}`, but not the `${name}` of a shell. */
const PLACEHOLDER = /(?<!\$)\{([A-Za-z]\w*)\}/g;

/** A text on the console: as long as our search for it allows. */
const mark = (what: string) => z.string().min(1).max(80).describe(what);

const command = z
  .strictObject({
    kind: z.literal("command"),
    command: z
      .array(argument().superRefine(requireKnownPlaceholders))
      .min(1)
      .max(256)
      .refine(([program]) => program !== "", { path: [0], error: "there is nothing" })
      .describe(
        `program and arguments; ${PLACEHOLDERS.map((name) => `{${name}}`).join(" ")} are filled in`,
      ),
    readyText: mark("console text that means: ready"),
    milestones: z
      .strictObject({
        firmware: mark("console text of the firmware").optional(),
        kernel: mark("console text of the kernel").optional(),
        init: mark("console text of the first process").optional(),
      })
      .default({})
      .describe("console texts that mean: got this far"),
    readyTimeoutS: readyTimeoutS(),
  })
  .describe("any other VMM; what it prints is the console");

export const machineProfile = z.discriminatedUnion("kind", [tiny, snp, command]);

export type MachineProfile = z.output<typeof machineProfile>;
export type TinyProfile = z.output<typeof tiny>;
export type SnpProfile = z.output<typeof snp>;
export type CommandProfile = z.output<typeof command>;

/** What is booted where the scenario names nothing. */
export const DEFAULT_MACHINE: TinyProfile = tiny.parse({ kind: "tiny" });

/** An SNP guest of which nothing is said but its firmware. */
export function plainSnpProfile(firmware: string): SnpProfile {
  return snp.parse({ kind: "snp", firmware });
}

/** A word of a command with its placeholders filled in. */
export function fillPlaceholders(
  word: string,
  values: Readonly<Record<Placeholder, string>>,
): string {
  return word.replace(PLACEHOLDER, (whole, name: string) =>
    isPlaceholder(name) ? values[name] : whole,
  );
}

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}

function requireKnownPlaceholders(word: string, issues: z.core.$RefinementCtx<string>): void {
  for (const [whole, name] of word.matchAll(PLACEHOLDER)) {
    if (isPlaceholder(name!)) continue;
    const known = PLACEHOLDERS.map((each) => `{${each}}`).join(", ");
    issues.addIssue({ code: "custom", message: `${whole} is none of ${known}` });
  }
}

/** What can be handed to a program. */
function argument() {
  return z
    .string()
    .max(4096)
    .refine((text) => !text.includes("\0"), "holds a NUL character");
}

function hasNoControl(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

function base64(bytes: number) {
  const padding = (3 - (bytes % 3)) % 3;
  const digits = Math.ceil(bytes / 3) * 4 - padding;
  const exactly = new RegExp(`^[A-Za-z0-9+/]{${digits}}={${padding}}$`);
  return z.string().refine((text) => exactly.test(text), `is not base64 of ${bytes} bytes`);
}
