import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { emptyLedger } from "../../core/govern/ledger.ts";
import type { PermitEvent } from "../../core/govern/permit.ts";
import {
  continueJournal,
  findJournal,
  type JournalContents,
  newJournal,
  readJournal,
} from "./journal.ts";

const STATE = emptyLedger([{ name: "boot-cap", options: { boots: 2 } }]);
const EVENTS: readonly PermitEvent[] = [1, 2, 3].flatMap((id): PermitEvent[] => [
  {
    kind: "asked",
    atNs: id,
    ask: { id, key: `k${id}`, vm: "ü\n", tenant: 0, priority: 0, leaseNs: 5 },
  },
  { kind: "granted", atNs: id, id, cap: 2 },
]);

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstorm-journal-"));
  file = join(folder, "journal.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A journal with these events, whose daemon is no more. */
function written(): Buffer {
  const journal = newJournal(folder, 5n, STATE, 1 << 20);
  for (const event of EVENTS) journal.append(event);
  expect(journal.write()).toBeUndefined();
  journal.close();
  // The process that wrote it, this one, runs on; its last line would say so.
  const text = readFileSync(file, "utf8");
  const lines = text.split("\n").filter((line) => !line.includes('"owner"'));
  writeFileSync(file, lines.join("\n"));
  return readFileSync(file);
}

function found(): JournalContents {
  const result = findJournal(folder);
  if (result.kind !== "journal") throw new Error(`found ${JSON.stringify(result)}`);
  return result.contents;
}

test("what was written is read: state, events and origin", () => {
  written();
  expect(found()).toMatchObject({ state: STATE, events: EVENTS, header: { originNs: "5" } });
});

test("cut anywhere it is a journal with fewer events, and is gone on with", () => {
  const bytes = written();
  const headBytes = bytes.indexOf('"asked"');
  for (let length = bytes.length; length > headBytes; length -= 7) {
    writeFileSync(file, bytes.subarray(0, length));
    const contents = found();
    expect(EVENTS.slice(0, contents.events.length)).toEqual(contents.events);
    const journal = continueJournal(folder, contents, 1 << 20);
    journal.append({ kind: "opened", atNs: 9 });
    expect(journal.write()).toBeUndefined();
    journal.close();
    const again = readJournal(readFileSync(file)).events;
    expect(again).toEqual([...contents.events, { kind: "opened", atNs: 9 }]);
  }
});

test("a byte that was changed anywhere is noticed, and the file is set aside", () => {
  const bytes = written();
  for (let at = 0; at < bytes.length - 1; at += 5) {
    const damaged = Uint8Array.from(bytes);
    damaged[at]! ^= 1;
    if (bytes[at] === 0x0a) continue; // Two lines become one: noticed, or at the end half a line.
    writeFileSync(file, damaged);
    const result = findJournal(folder);
    expect(result.kind, `byte ${at}`).toBe("set-aside");
  }
  expect(readdirSync(folder).every((name) => name.startsWith("journal.jsonl.damaged-"))).toBe(true);
});

test("a file that is no journal is set aside, an empty one too", () => {
  for (const text of ["", "\n", "hello\n", "{}\n", "null\n"]) {
    writeFileSync(file, text);
    expect(findJournal(folder).kind, JSON.stringify(text)).toBe("set-aside");
  }
});

test("of an earlier boot of the host nothing is left; a later version is refused", () => {
  const { header } = readJournal(written());
  const line = (data: unknown) => {
    const text = JSON.stringify(data);
    const crc = crc32(text).toString(16).padStart(8, "0");
    return `{"crc":"${crc}","data":${text}}\n`;
  };
  const state = line({ kind: "state", state: STATE });
  writeFileSync(file, line({ ...header, bootId: "another" }) + state);
  expect(findJournal(folder).kind).toBe("earlier-boot");
  writeFileSync(file, line({ ...header, version: 2 }) + state);
  expect(() => findJournal(folder)).toThrow(expect.objectContaining({ code: "NEWER_STATE" }));
  expect(findJournal(join(folder, "nowhere")).kind).toBe("nothing");
});

test("while its daemon runs nobody else takes it", () => {
  newJournal(folder, 5n, STATE, 1 << 20).close();
  expect(() => findJournal(folder)).toThrow(expect.objectContaining({ code: "GOVERN_RUNNING" }));
});

test("begun anew it has the state and no events, and is private", () => {
  const journal = newJournal(folder, 5n, STATE, 10);
  for (const event of EVENTS) journal.append(event);
  journal.write();
  expect(journal.isLong).toBe(true);
  const longer = { ...STATE, nextId: 4 };
  expect(journal.begin(longer)).toBeUndefined();
  expect(journal.isLong).toBe(false);
  journal.close();
  expect(readJournal(readFileSync(file))).toMatchObject({ state: longer, events: [] });
  expect(readdirSync(folder)).toEqual(["journal.jsonl"]);
});

test("nothing in the governor reads the time of day", () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const names = readdirSync(here, { recursive: true, encoding: "utf8" });
  const products = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  expect(products.length).toBeGreaterThan(5);
  for (const name of products) {
    expect(readFileSync(join(here, name), "utf8"), name).not.toMatch(/\bDate\b|hrtime\(\)/);
  }
});
