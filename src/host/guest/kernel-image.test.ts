import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { needs } from "../../../test/needs.ts";
import { BootstormError } from "../../core/error.ts";
import { type Cache, openCache } from "../store/cache.ts";
import { findKernel } from "./kernel-image.ts";

let folder: string;
let cache: Cache;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-test-"));
  cache = openCache(join(folder, "cache"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const { signal } = new AbortController();

function file(name: string, content: Buffer | string): string {
  mkdirSync(join(folder, "boot"), { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const find = (path: string | undefined, as: "pvh" | "bzImage" = "pvh") =>
  findKernel(path, { as, cache, signal, root: folder });

/** What it is, or the code of the error and its reason. */
async function foundOr(path: string, as: "pvh" | "bzImage" = "pvh"): Promise<unknown> {
  try {
    return await find(path, as);
  } catch (error) {
    if (!(error instanceof BootstormError)) throw error;
    return `${error.code}: ${error.why}`;
  }
}

/** A vmlinux without code: one segment of notes, as the linker writes them. */
function vmlinux(notes: readonly (readonly [owner: string, type: number])[]): Buffer {
  const segment = Buffer.concat(
    notes.map(([owner, type]) => {
      const head = Buffer.alloc(12);
      head.writeUInt32LE(owner.length + 1, 0);
      head.writeUInt32LE(6, 4);
      head.writeUInt32LE(type, 8);
      const name = Buffer.alloc(Math.ceil((owner.length + 1) / 4) * 4);
      name.write(owner);
      return Buffer.concat([head, name, Buffer.alloc(8)]);
    }),
  );
  const header = Buffer.alloc(64 + 56);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(4, 64);
  header.writeBigUInt64LE(120n, 64 + 8);
  header.writeBigUInt64LE(BigInt(segment.length), 64 + 32);
  return Buffer.concat([header, segment]);
}

const PVH = vmlinux([
  ["GNU", 3],
  ["Xen", 6],
  ["Xen", 18],
]);
const NO_PVH = vmlinux([
  ["GNU", 18],
  ["Xen", 17],
]);

/** A bzImage without code: two sectors of set-up, a header, the payload 100 bytes after them. */
function bzImage(payload: Buffer): Buffer {
  const setup = Buffer.alloc(3 * 512 + 100);
  setup[0x1f1] = 2;
  setup.write("HdrS", 0x202);
  setup.writeUInt16LE(0x20f, 0x206);
  setup.writeUInt32LE(100, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, payload, Buffer.alloc(32)]);
}

function withSize(packed: Buffer, bytes: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes);
  return Buffer.concat([packed, size]);
}

test("a bzImage is unpacked to what it was made of, once", async () => {
  const path = file("bzImage", bzImage(gzipSync(PVH)));
  const first = await find(path);
  expect(first).toMatchObject({ format: "pvh", source: path });
  expect(readFileSync(first.path).equals(PVH)).toBe(true);
  writeFileSync(first.path, "kept");
  expect(await find(path)).toEqual(first);
  expect(readFileSync(first.path, "utf8"), "not unpacked again").toBe("kept");
});

test.for([
  ["xz", ["-c", "--check=crc32"]],
  ["xz", ["-c", "--format=lzma"]],
  ["zstd", ["-c", "-q"]],
  ["lz4", ["-l", "-c"]],
  ["bzip2", ["-c"]],
] as const)(
  "a payload packed by %s %j, as the kernel's build packs it",
  async ([program, args], context) => {
    const missing = needs(`program ${program}`);
    if (missing) return context.skip(missing);
    const packed = spawnSync(program, args, { input: PVH }).stdout;
    const image = await find(file("bzImage", bzImage(withSize(packed, PVH.length))));
    expect(image.notPvhBecause).toBeUndefined();
    expect(readFileSync(image.path).equals(PVH)).toBe(true);
  },
);

test("a bzImage that cannot be entered as an ELF file is given as it is, with the reason", async () => {
  const reasonOf = async (image: Buffer) => {
    const path = file("bzImage", image);
    const found = await find(path);
    expect(found).toMatchObject({ format: "bzImage", path, source: path });
    return found.notPvhBecause;
  };
  expect(await reasonOf(bzImage(gzipSync(NO_PVH)))).toBe(
    "it has no PVH entry (built without CONFIG_PVH)",
  );
  expect(await reasonOf(bzImage(gzipSync("text")))).toBe("it is no ELF file for x86-64");
  expect(await reasonOf(bzImage(Buffer.from("PK\x03\x04 zip")))).toMatch(
    /^its compression is none/,
  );
  expect(await reasonOf(bzImage(gzipSync(PVH).subarray(0, 60)))).toMatch(/^gzip: /);
  const claims = withSize(Buffer.from("\xfd7zXZ\0 rest", "latin1"), 0xffff_ffff);
  expect(await reasonOf(bzImage(claims))).toBe("it claims to unpack to 4294967295 bytes");
});

test("a broken payload is the unpacker's to refuse; a false size is ours", async (context) => {
  const missing = needs("program xz");
  if (missing) return context.skip(missing);
  const xz = spawnSync("xz", ["-c"], { input: PVH }).stdout;
  const broken = await find(file("a", bzImage(withSize(xz.subarray(0, 40), PVH.length))));
  expect(broken.notPvhBecause).toMatch(/^xz: /);
  const short = await find(file("b", bzImage(withSize(xz, PVH.length - 1))));
  expect(short.notPvhBecause).toMatch(/^xz/);
});

test("firmware gets a bzImage as it is, and refuses anything else", async () => {
  const path = file("bzImage", bzImage(gzipSync(PVH)));
  expect(await find(path, "bzImage")).toMatchObject({ path, format: "bzImage" });
  expect(await foundOr(file("vmlinux", PVH), "bzImage")).toBe(
    "KERNEL_NOT_BOOTABLE: firmware boots a bzImage, and this is none",
  );
});

test("a vmlinux is taken as it is when it has the entry", async () => {
  const path = file("vmlinux", PVH);
  expect(await find(path)).toMatchObject({ path, format: "pvh" });
  expect(await foundOr(file("vmlinux", NO_PVH))).toBe(
    "KERNEL_NOT_BOOTABLE: it is no bzImage, and it has no PVH entry (built without CONFIG_PVH)",
  );
});

test("what is missing, empty or no kernel is named", async () => {
  expect(await foundOr(join(folder, "none"))).toBe("CANNOT_READ: there is no such file");
  expect(await foundOr(folder)).toBe("CANNOT_READ: it is a folder");
  expect(await foundOr(file("empty", ""))).toMatch(/^KERNEL_NOT_BOOTABLE: it is no bzImage/);
});

test("whatever a file holds, it is a kernel or refused", async () => {
  const whole = [bzImage(gzipSync(PVH)), PVH];
  const cut = fc
    .record({
      of: fc.constantFrom(...whole),
      bytes: fc.nat(2000),
      at: fc.nat(2000),
      to: fc.nat(255),
    })
    .map(({ of, bytes, at, to }) => {
      const copy = Buffer.from(of.subarray(0, bytes));
      if (at < copy.length) copy[at] = to;
      return copy;
    });
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(cut, fc.uint8Array({ maxLength: 200 }).map(Buffer.from)),
      async (bytes) => {
        await foundOr(file("any", bytes));
      },
    ),
  );
});

test("by default the newest in /boot: versions compare as numbers, rescue kernels come last", async () => {
  for (const name of ["6.1.0-56-amd64", "6.12.9-amd64", "6.9.12-amd64", "0-rescue-5f"]) {
    file(`boot/vmlinuz-${name}`, PVH);
  }
  file("boot/config-7.0.0", "");
  expect((await find(undefined)).source).toBe(join(folder, "boot/vmlinuz-6.12.9-amd64"));
});

test("no kernel at all: what to install, and where one could be named", async () => {
  const error = await find(undefined).catch((thrown: BootstormError) => thrown);
  expect(error).toMatchObject({
    code: "NO_KERNEL",
    why: `${folder}/boot has no vmlinuz`,
    remedies: [
      expect.stringContaining("apt-get install"),
      expect.stringContaining("machine.kernel"),
    ],
  });
});
