// What the governor has decided, one line each, written before anybody hears of it. A line is
//
//   {"crc":"5c3f01aa","data":{"kind":"granted","atNs":1200345,"id":17,"cap":4}}
//
// with the CRC-32 of the text of `data`. The first is the header, the second the state as it was when
// the file was begun; then come events, and `owner` for each daemon that has opened the file.
//
// The kernel keeps what was written when we are killed; nothing waits for the disk. After a crash of
// the host every permit is over anyway: the boot id has changed.
import { randomBytes } from "node:crypto";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { BootstormError, EXIT } from "../../core/error.ts";
import type { LedgerState, PermitEvent } from "../../core/govern/permit.ts";
import { startTicksOf } from "../../host/exec/start-time.ts";
import { cannotWrite } from "../../host/store/atomic.ts";
import { bootId } from "./clock.ts";

const VERSION = 1;
const FILE = "journal.jsonl";

/** A type, not an interface: `data` of a line can be it. */
type Header = {
  readonly kind: "header";
  readonly version: number;
  readonly bootId: string;
  /** Origin of all times, on the monotonic clock of that boot. Text: it may exceed 2^53. */
  readonly originNs: string;
  /** Stands before the numbers of permits, so that none of a lost state is taken for a new one. */
  readonly epoch: string;
};

type Owner = { readonly kind: "owner"; readonly pid: number; readonly startTicks: string };

type Line = Header | Owner | { readonly kind: "state"; readonly state: LedgerState } | PermitEvent;

/** What a journal holds. */
export interface JournalContents {
  readonly header: Header;
  readonly state: LedgerState;
  readonly events: readonly PermitEvent[];
  readonly owner?: Owner;
  /** Up to the end of the last whole line. */
  readonly bytes: number;
}

/** What was found when a daemon started. */
export type Found =
  | { readonly kind: "nothing" }
  /** Of an earlier boot of the host: all its permits are over. */
  | { readonly kind: "earlier-boot" }
  | SetAside
  | { readonly kind: "journal"; readonly contents: JournalContents };

/** It could not be believed. `path`: where it is now. */
export interface SetAside {
  readonly kind: "set-aside";
  readonly why: string;
  readonly path: string;
}

export interface Journal {
  readonly epoch: string;
  /** Takes an event for the next `write`. */
  append(event: PermitEvent): void;
  /**
   * Writes all that was taken, or nothing of it: then it is kept for the next call.
   * @returns what went wrong; undefined: nothing
   */
  write(): BootstormError | undefined;
  /** Has it grown so much that it should be begun anew? */
  readonly isLong: boolean;
  readonly bytes: number;
  /**
   * Begins the file anew with this state, which knows all that was appended.
   * @returns what went wrong, with the old file as it was; undefined: nothing
   */
  begin(state: LedgerState): BootstormError | undefined;
  close(): void;
}

/**
 * Reads the journal of a folder, which it makes if need be. One that cannot be believed is set aside.
 * @throws BootstormError CANNOT_WRITE; GOVERN_RUNNING when its daemon runs; NEWER_STATE
 */
export function findJournal(folder: string): Found {
  const path = join(folder, FILE);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const contents = readJournal(readFileSync(path));
    const { header, owner } = contents;
    if (header.bootId !== bootId()) return { kind: "earlier-boot" };
    if (owner !== undefined && startTicksOf(owner.pid) === owner.startTicks) {
      throw alreadyRuns(`${path} belongs to process ${owner.pid}`);
    }
    return { kind: "journal", contents };
  } catch (error) {
    if (error instanceof DamagedJournal) return setAside(folder, error.message);
    if (error instanceof BootstormError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { kind: "nothing" };
    throw cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

/** Renames a journal that cannot be believed, so that somebody can look at it. */
export function setAside(folder: string, why: string): SetAside {
  const kept = join(folder, `${FILE}.damaged-${randomBytes(4).toString("hex")}`);
  renameSync(join(folder, FILE), kept);
  return { kind: "set-aside", why, path: kept };
}

/** @throws BootstormError CANNOT_WRITE */
export function newJournal(
  folder: string,
  originNs: bigint,
  state: LedgerState,
  growthBytesMax: number,
): Journal {
  const epoch = randomBytes(4).toString("hex");
  const header: Header = {
    kind: "header",
    version: VERSION,
    bootId: bootId(),
    originNs: String(originNs),
    epoch,
  };
  const journal = createJournal(folder, header, growthBytesMax);
  const error = journal.begin(state);
  if (error !== undefined) throw error;
  return journal;
}

/**
 * Goes on with a journal; half a line that its daemon did not come to finish is cut off.
 * @throws BootstormError CANNOT_WRITE
 */
export function continueJournal(
  folder: string,
  { header, bytes }: JournalContents,
  growthBytesMax: number,
): Journal {
  return createJournal(folder, header, growthBytesMax, bytes);
}

function createJournal(
  folder: string,
  header: Header,
  growthBytesMax: number,
  goodBytes?: number,
): Journal {
  const path = join(folder, FILE);
  let fd: number | undefined;
  let bytes = goodBytes ?? 0;
  let begunBytes = bytes;
  let pending: string[] = [];
  if (goodBytes !== undefined) {
    try {
      fd = openSync(path, "r+");
      ftruncateSync(fd, goodBytes);
    } catch (error) {
      throw cannotWrite(path, error as NodeJS.ErrnoException);
    }
    pending.push(lineOf(self()));
  }

  function write(): BootstormError | undefined {
    if (pending.length === 0) return undefined;
    const error = attempt(path, () => {
      const text = Buffer.from(pending.join(""));
      try {
        writeAll(fd!, text, bytes);
      } catch (problem) {
        ftruncateSync(fd!, bytes);
        throw problem;
      }
      bytes += text.length;
    });
    if (error === undefined) pending = [];
    return error;
  }

  function begin(state: LedgerState): BootstormError | undefined {
    const temporary = `${path}.new`;
    return attempt(path, () => {
      const text = Buffer.from(
        [header, { kind: "state", state } as const, self()].map(lineOf).join(""),
      );
      const next = openSync(temporary, "w", 0o600);
      try {
        writeAll(next, text, 0);
        renameSync(temporary, path);
      } catch (problem) {
        closeSync(next);
        rmSync(temporary, { force: true });
        throw problem;
      }
      if (fd !== undefined) closeSync(fd);
      fd = next;
      bytes = text.length;
      begunBytes = bytes;
      pending = [];
    });
  }

  return {
    epoch: header.epoch,
    append: (event) => {
      pending.push(lineOf(event));
    },
    write,
    get isLong() {
      // A snapshot is as dear as it is large.
      return bytes - begunBytes > Math.max(growthBytesMax, begunBytes);
    },
    get bytes() {
      return bytes;
    },
    begin,
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

/**
 * What the bytes of a journal say.
 * @throws DamagedJournal; BootstormError NEWER_STATE
 */
export function readJournal(bytes: Uint8Array): JournalContents {
  const end = bytes.lastIndexOf(0x0a) + 1;
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, end)
    .toString()
    .split("\n")
    .slice(0, -1)
    .map(dataOf);
  const [header, begun, ...rest] = lines;
  if (header?.kind !== "header") throw new DamagedJournal("it does not begin with a header");
  if (header.version > VERSION) throw newerState(header.version);
  if (begun?.kind !== "state") throw new DamagedJournal("its second line is no state");
  const owners = rest.filter((line) => line.kind === "owner");
  const owner = owners.at(-1);
  const events = rest.filter(
    (line) => line.kind !== "owner" && line.kind !== "header" && line.kind !== "state",
  );
  return {
    header,
    state: begun.state,
    events,
    ...(owner === undefined ? {} : { owner }),
    bytes: end,
  };
}

/** It is no journal of ours, or not as we wrote it. */
export class DamagedJournal extends Error {}

const BEFORE_CRC = '{"crc":"';
const BEFORE_DATA = '","data":';
const DATA_AT = BEFORE_CRC.length + 8 + BEFORE_DATA.length;

function lineOf(data: Line): string {
  return `${framed(JSON.stringify(data))}\n`;
}

function framed(text: string): string {
  const crc = crc32(text).toString(16).padStart(8, "0");
  return `${BEFORE_CRC}${crc}${BEFORE_DATA}${text}}`;
}

function dataOf(line: string, i: number): Line {
  const text = line.slice(DATA_AT, -1);
  if (line !== framed(text)) throw new DamagedJournal(`line ${i + 1} is not as it was written`);
  return JSON.parse(text); // The very text that `lineOf` made of a Line.
}

function self(): Owner {
  return { kind: "owner", pid: process.pid, startTicks: startTicksOf(process.pid)! };
}

function writeAll(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  }
}

function attempt(path: string, work: () => void): BootstormError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return cannotWrite(path, error as NodeJS.ErrnoException);
  }
}

function newerState(version: number): BootstormError {
  return new BootstormError("NEWER_STATE", "a later bootstorm has written the state", {
    why: `its journal has version ${version}; version ${VERSION} can be read`,
    remedies: ["run that later bootstorm", "name another folder: --state"],
    exit: EXIT.input,
  });
}

/** Two daemons would give the same permits twice. */
export function alreadyRuns(why: string): BootstormError {
  return new BootstormError("GOVERN_RUNNING", "a governor runs already", {
    why,
    remedies: ["ask it to read its configuration again: kill -HUP its process", "end it first"],
    exit: EXIT.host,
  });
}
