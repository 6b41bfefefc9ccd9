// An archive in the form `newc`, as the kernel unpacks it. Source: Documentation/driver-api/
// early-userspace/buffer-format.rst.

export type CpioEntry =
  | { readonly path: string; readonly kind: "folder" }
  | { readonly path: string; readonly kind: "program"; readonly content: Uint8Array }
  | { readonly path: string; readonly kind: "link"; readonly to: string }
  | {
      readonly path: string;
      readonly kind: "character device";
      readonly major: number;
      readonly minor: number;
    };

const MODES: Readonly<Record<CpioEntry["kind"], number>> = {
  folder: 0o040755,
  program: 0o100755,
  link: 0o120777,
  "character device": 0o020600,
};

/** Equal entries give equal bytes: everything is root's and of 1970. A folder comes before its files. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const members = entries.map((entry, i) => member(i + 1, MODES[entry.kind], entry));
  return Buffer.concat([...members, member(0, 0, { path: "TRAILER!!!", kind: "folder" })]);
}

function member(inode: number, mode: number, entry: CpioEntry): Buffer {
  const content =
    entry.kind === "program"
      ? Buffer.from(entry.content)
      : Buffer.from(entry.kind === "link" ? entry.to : "");
  const [major, minor] = entry.kind === "character device" ? [entry.major, entry.minor] : [0, 0];
  const name = Buffer.from(`${entry.path}\0`);
  const fields = [
    ...[inode, mode],
    ...[0, 0, 1, 0], // uid, gid, links, time
    content.length,
    ...[0, 0, major, minor], // the device it lies on, the device it is
    name.length,
    0, // checksum, of other forms
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([toWords(Buffer.concat([Buffer.from(header), name])), toWords(content)]);
}

/** Padded to a multiple of four bytes. */
function toWords(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
