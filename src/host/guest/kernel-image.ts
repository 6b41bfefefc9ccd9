import { createHash } from "node:crypto";
import { accessSync, constants, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { BootstormError, EXIT } from "../../core/error.ts";
import type { Cache } from "../store/cache.ts";
import { readWholeFile } from "../store/read.ts";
import { elfNotes, elfSegments, PT_NOTE } from "./elf.ts";
import { isBzImage, unpackKernel } from "./kernel-payload.ts";

/** Distribution kernels have 10 to 20 MiB, unpacked ones up to 100. */
const KERNEL_BYTES_MAX = 512 << 20;

/** A note that names the kernel's PVH entry. Source: XEN_ELFNOTE_PHYS32_ENTRY, xen/elfnote.h. */
const PVH_NOTE = { owner: "Xen", type: 18 } as const;

/** A kernel that QEMU can be given. */
export interface KernelImage {
  /** The file to give. */
  readonly path: string;
  /** `pvh`: an ELF file that QEMU enters directly. `bzImage`: one that unpacks itself first. */
  readonly format: "pvh" | "bzImage";
  /** The file it was made of, or is. */
  readonly source: string;
  /** SHA-256 of the source, in hex. */
  readonly sha256: string;
  /** Why it is a bzImage although `pvh` was wanted. */
  readonly notPvhBecause?: string;
}

/**
 * Looks at a kernel and makes it what is wanted. To be entered as an ELF file saves a guest the
 * time to unpack itself, 0.2 to 0.3 s under emulation (Debian's 6.1, QEMU 7.2).
 * @param path  default: the newest in /boot that can be read
 * @param options.as  `pvh` where possible, else the reason stands in the answer; or `bzImage`, which
 * firmware needs
 * @throws BootstormError NO_KERNEL, KERNEL_NOT_BOOTABLE, CANNOT_READ, CANNOT_WRITE
 */
export async function findKernel(
  path: string | undefined,
  options: { as: "pvh" | "bzImage"; cache: Cache; signal: AbortSignal; root?: string },
): Promise<KernelImage> {
  const source = path === undefined ? newestKernel(options.root ?? "/") : resolve(path);
  const remedies = ["name a bzImage or vmlinux for x86-64 at guests[].machine.kernel"];
  const file = Buffer.from(await readWholeFile(source, { bytesMax: KERNEL_BYTES_MAX, remedies }));
  const sha256 = createHash("sha256").update(file).digest("hex");
  const refuse = (why: string) =>
    new BootstormError("KERNEL_NOT_BOOTABLE", `${source} is no kernel to boot here`, {
      why,
      remedies,
      exit: EXIT.input,
    });
  if (isBzImage(file)) {
    const plain = { path: source, format: "bzImage", source, sha256 } as const;
    if (options.as === "bzImage") return plain;
    const unpacked = await unpackedInCache(file, sha256, options.cache, options.signal);
    return "refused" in unpacked
      ? { ...plain, notPvhBecause: unpacked.refused }
      : { path: unpacked.path, format: "pvh", source, sha256 };
  }
  if (options.as === "bzImage") throw refuse("firmware boots a bzImage, and this is none");
  const notPvh = whyNotPvh(file);
  if (notPvh !== undefined) throw refuse(`it is no bzImage, and ${notPvh}`);
  return { path: source, format: "pvh", source, sha256 };
}

async function unpackedInCache(
  bzImage: Buffer,
  sha256: string,
  cache: Cache,
  signal: AbortSignal,
): Promise<{ readonly path: string } | { readonly refused: string }> {
  const name = `vmlinux-${sha256.slice(0, 32)}`;
  const found = cache.find(name);
  if (found !== undefined) return { path: found };
  const unpacked = await unpackKernel(bzImage, signal);
  if ("refused" in unpacked) return unpacked;
  const refused = whyNotPvh(unpacked.vmlinux);
  return refused === undefined ? { path: await cache.put(name, unpacked.vmlinux) } : { refused };
}

function whyNotPvh(vmlinux: Buffer): string | undefined {
  const segments = elfSegments(vmlinux);
  if (segments === undefined) return "it is no ELF file for x86-64";
  const notes = segments.filter(({ type }) => type === PT_NOTE).flatMap((s) => elfNotes(s.bytes));
  return notes.some(({ owner, type }) => owner === PVH_NOTE.owner && type === PVH_NOTE.type)
    ? undefined
    : "it has no PVH entry (built without CONFIG_PVH)";
}

/**
 * `vmlinuz-6.12.43-amd64` is newer than `vmlinuz-6.1.0-9-amd64`.
 * @throws BootstormError NO_KERNEL
 */
function newestKernel(root: string): string {
  const folder = join(root, "/boot");
  const kernels = namesIn(folder)
    .filter((name) => name.startsWith("vmlinuz"))
    .sort(byVersion)
    .reverse()
    .map((name) => join(folder, name));
  const readable = kernels.find(isReadableFile);
  if (readable !== undefined) return readable;
  throw new BootstormError("NO_KERNEL", "there is no kernel for a guest to boot", {
    why:
      kernels.length === 0
        ? `${folder} has no vmlinuz`
        : `this user may not read ${kernels[0]}, nor another one there`,
    remedies: [
      ...(kernels.length === 0
        ? ["apt-get install linux-image-cloud-amd64 (Debian), or any kernel package"]
        : ["run as root, or copy it to a place of your own and name that"]),
      "name a bzImage or vmlinux at guests[].machine.kernel",
    ],
    exit: EXIT.host,
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no /boot, as in a container
  }
}

function isReadableFile(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Numbers compare as numbers. */
function byVersion(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
