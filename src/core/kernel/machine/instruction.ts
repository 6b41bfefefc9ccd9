import { assert } from "../../assert.ts";
import type { Operation, PageChoice } from "../operation.ts";

/** What an operation is to the machine: numbers only. */
export interface Instruction {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const KIND = {
  lock: 0,
  lockShared: 1,
  unlock: 2,
  unlockShared: 3,
  readPmd: 4,
  readPud: 5,
  installPmdTable: 6,
  installPudTable: 7,
  writePmd: 8,
  clearMark: 9,
  awaitUnmarked: 10,
  readPte: 11,
  writePte: 12,
  scanPtes: 13,
  flush: 14,
  flushSend: 15,
  flushWait: 16,
  freeTable: 17,
  return: 18,
  rmpupdate: 19,
  psmash: 20,
  pvalidate: 21,
  guestAccess: 22,
  /** Touches nothing shared. */
  local: 23,
  done: 24,
} as const;

/** As `a` of an instruction: the page of the CPU that executes it. */
export const OWN = 255;

/** Translates an operation; a lock becomes its place in `lockNames`. */
export function compile(operation: Operation, lockNames: readonly string[]): Instruction {
  const make = (kind: number, a = 0, b = 0, c = 0): Instruction => ({ kind, a, b, c });
  const lock = (name: string) => {
    const index = lockNames.indexOf(name);
    assert(index >= 0, `the design has a lock ${name}`);
    return index;
  };
  switch (operation.op) {
    case "lock":
      return make(operation.shared ? KIND.lockShared : KIND.lock, lock(operation.lock));
    case "unlock":
      return make(operation.shared ? KIND.unlockShared : KIND.unlock, lock(operation.lock));
    case "readEntry":
      return make(operation.level === "pmd" ? KIND.readPmd : KIND.readPud);
    case "installTable":
      return make(
        operation.level === "pmd" ? KIND.installPmdTable : KIND.installPudTable,
        operation.attributes,
        operation.mark ? 1 : 0,
      );
    case "writeLarge":
      assert(operation.level === "pmd", "a 1 GiB entry is split, never changed in place");
      return make(
        KIND.writePmd,
        operation.attributes,
        operation.collapse ? 1 : 0,
        changeByte(operation),
      );
    case "clearMark":
      return make(KIND.clearMark);
    case "awaitUnmarked":
      return make(KIND.awaitUnmarked);
    case "readPte":
      return make(KIND.readPte, pageByte(operation.page));
    case "writePte":
      return make(
        KIND.writePte,
        pageByte(operation.page),
        operation.attributes,
        changeByte(operation),
      );
    case "scanPtes":
      return make(KIND.scanPtes);
    case "flush":
      return make(KIND.flush, operation.range === "all" ? 1 : 0);
    case "flushSend":
      return make(KIND.flushSend, operation.range === "all" ? 1 : 0);
    case "flushWait":
      return make(KIND.flushWait, operation.range === "all" ? 1 : 0);
    case "freeTable":
      return make(KIND.freeTable);
    case "return":
      return make(
        KIND.return,
        pageByte(operation.page),
        (operation.flushed ? 1 : 0) | (operation.changed ? 2 : 0),
        changeByte(operation),
      );
    case "rmpupdate":
      return make(KIND.rmpupdate, operation.assign ? 1 : 0);
    case "psmash":
      return make(KIND.psmash);
    case "pvalidate":
      return make(KIND.pvalidate, operation.valid ? 1 : 0);
    case "guestAccess":
      return make(KIND.guestAccess);
    case "allocPage":
    case "freePage":
    case "work":
      return make(KIND.local);
  }
}

const pageByte = (choice: PageChoice) => (choice === "own" ? OWN : choice);

/** What a request asks for, in one byte: `set` low, `clear` high. */
const changeByte = (asked: { readonly set: number; readonly clear: number }) =>
  asked.set | (asked.clear << 4);
