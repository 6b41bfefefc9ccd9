import { PAGE_KERNEL } from "./attributes.ts";
import { freeTable, POINTER_NONE, pointerOf, setPointer } from "./machine/detached-table.ts";
import { noFindings, type Tested } from "./machine/findings.ts";
import { compile, type Instruction, KIND, OWN } from "./machine/instruction.ts";
import {
  ASSIGNED,
  blockOf,
  type Layout,
  layOut,
  type MachineSetup,
  TABLE,
  VALIDATED,
} from "./machine/layout.ts";
import { dropLock, dropLockShared, takeLock, takeLockShared } from "./machine/lock.ts";
import {
  clearMark,
  installPmdTable,
  installPudTable,
  isMarked,
  readPmd,
  readPte,
  readPud,
  scanPtes,
  writePmd,
  writePte,
} from "./machine/page-table.ts";
import { guestAccess, psmash, pvalidate, rmpupdate } from "./machine/rmp.ts";
import { judgeReturn, settle } from "./machine/settle.ts";
import { flushTlb, sendFlush, setUnanswered, unanswered } from "./machine/tlb.ts";
import { type MachineView, viewOf } from "./machine/view.ts";
import { type Operation, RMP_OK } from "./operation.ts";

/** The result of a step that cannot be taken now. */
export const BLOCKED = -1;

/**
 * The machine that all paths run on: locks, page tables, TLBs, RMP entries of N CPUs in one byte
 * array, and what each operation does to it. Nothing but the files of `machine/` writes model state.
 *
 * A hot path of the checker (millions of steps a second): plain functions over plain numbers and
 * one `Layout`, no allocation.
 */
export class Machine {
  readonly setup: MachineSetup;
  /** Length of a state in bytes, a multiple of 4. */
  readonly bytes: number;
  /** Bytes before the first CPU's block; blocks are `blockBytes` long and all alike. */
  readonly headerBytes: number;
  readonly blockBytes: number;

  readonly #layout: Layout;
  readonly #findings = noFindings();
  readonly #lockNames: readonly string[];

  constructor(setup: MachineSetup) {
    this.setup = setup;
    this.#layout = layOut(setup);
    this.#lockNames = Object.keys(setup.design.locks);
    this.bytes = this.#layout.bytes;
    this.headerBytes = this.#layout.headerBytes;
    this.blockBytes = this.#layout.blockBytes;
  }

  /** Laws broken by the last step: `Law.bit`s. */
  get broken(): number {
    return this.#findings.broken;
  }

  /** How often laws were put to a real test so far. */
  get tested(): Readonly<Tested> {
    return this.#findings.tested;
  }

  /** True when CPUs with the same program can change places without changing any answer. */
  get interchangeable(): boolean {
    const { pages, cpus, flush } = this.setup;
    return flush === "broadcast" && (pages >= cpus || pages === 1);
  }

  lockNames(): readonly string[] {
    return this.#lockNames;
  }

  /** Translates an operation; the locks of the design have numbers here. */
  compile(operation: Operation): Instruction {
    return compile(operation, this.#lockNames);
  }

  /** Writes the first state: all unlocked, PAGE_KERNEL everywhere, node 0 (the caller sets nodes). */
  initial(s: Uint8Array): void {
    const l = this.#layout;
    const { start, pages, regions } = this.setup;
    s.fill(0);
    if (start === "1g") s[l.pud] = PAGE_KERNEL;
    for (let region = 0; region < regions; region += 1) {
      s[l.pmd[region]!] = start === "2m" ? PAGE_KERNEL : start === "4k" ? TABLE : 0;
    }
    for (let page = 0; page < pages; page += 1) {
      s[l.pte[page]!] = (PAGE_KERNEL << 4) | (start === "4k" ? PAGE_KERNEL : 0);
    }
    if (this.setup.rmp === "guest-2m") {
      for (const at of l.rmpLarge) s[at] = 1;
      for (const at of l.rmp) s[at] = ASSIGNED | VALIDATED;
    }
    this.#findings.broken = 0;
    settle(l, this.#findings, s);
  }

  /** The CPU's place in its program, a number of its owner's. */
  node(s: Uint8Array, cpu: number): number {
    const at = blockOf(this.#layout, cpu);
    return s[at]! | (s[at + 1]! << 8);
  }

  setNode(s: Uint8Array, cpu: number, node: number): void {
    const at = blockOf(this.#layout, cpu);
    s[at] = node & 255;
    s[at + 1] = node >> 8;
  }

  /**
   * Takes one step of a CPU in place.
   * @returns the operation's result, or BLOCKED and the state is unchanged; `broken` says which
   *   laws the step broke
   */
  apply(s: Uint8Array, cpu: number, kind: number, a: number, b: number, c: number): number {
    const l = this.#layout;
    const f = this.#findings;
    f.broken = 0;
    const page = l.pageOfCpu[cpu]!;
    const region = l.regionOfPage[page]!;
    switch (kind) {
      case KIND.lock:
        return takeLock(l, s, a, region) ? 0 : BLOCKED;
      case KIND.lockShared:
        return takeLockShared(l, s, a, region) ? 0 : BLOCKED;
      case KIND.unlock:
        dropLock(l, s, a, region);
        return 0;
      case KIND.unlockShared:
        dropLockShared(l, s, a, region);
        return 0;
      case KIND.readPud:
        return readPud(l, s);
      case KIND.readPmd:
        return readPmd(l, s, cpu, region);
      case KIND.readPte:
        return readPte(l, f, s, cpu, a === OWN ? page : a);
      case KIND.writePte:
        writePte(l, f, s, cpu, a === OWN ? page : a, b, c);
        settle(l, f, s);
        return 0;
      case KIND.installPmdTable:
        installPmdTable(l, f, s, region, a, b);
        settle(l, f, s);
        return 0;
      case KIND.installPudTable:
        installPudTable(l, f, s, a);
        settle(l, f, s);
        return 0;
      case KIND.writePmd:
        writePmd(l, f, s, cpu, region, a, b, c);
        settle(l, f, s);
        return 0;
      case KIND.clearMark:
        clearMark(l, s, region);
        return 0;
      case KIND.awaitUnmarked:
        return isMarked(l, s, region) ? BLOCKED : 0;
      case KIND.scanPtes:
        return scanPtes(l, s, region);
      case KIND.flush:
        for (let o = 0; o < l.observers; o += 1) flushTlb(l, f, s, o, a, page);
        settle(l, f, s);
        return 0;
      case KIND.flushSend:
        sendFlush(l, f, s, cpu, a, page);
        settle(l, f, s);
        return 0;
      case KIND.flushWait:
        return unanswered(l, s, cpu) === 0 ? 0 : BLOCKED;
      case KIND.freeTable:
        freeTable(l, f, s, cpu, region);
        return 0;
      case KIND.return:
        setPointer(l, s, cpu, POINTER_NONE);
        judgeReturn(l, f, s, a === OWN ? page : a, b, c);
        return 0;
      case KIND.rmpupdate: {
        const result = rmpupdate(l, s, page, region, a);
        if (result === RMP_OK) settle(l, f, s);
        return result;
      }
      case KIND.psmash:
        return psmash(l, s, region);
      case KIND.pvalidate:
        return pvalidate(l, f, s, page, region, a);
      case KIND.guestAccess:
        guestAccess(l, f, s, page);
        return 0;
      case KIND.local:
        return 0;
      default:
        return BLOCKED;
    }
  }

  /**
   * The other half of `flushSend`: CPU `target` handles the interrupt that `sender` sent.
   * @returns false when none is pending
   */
  acknowledge(s: Uint8Array, sender: number, target: number, all: number): boolean {
    const l = this.#layout;
    const f = this.#findings;
    f.broken = 0;
    if (l.ipi < 0) return false;
    const waiting = unanswered(l, s, sender);
    if (!(waiting & (1 << target))) return false;
    flushTlb(l, f, s, target, all, l.pageOfCpu[sender]!);
    setUnanswered(l, s, sender, waiting & ~(1 << target));
    settle(l, f, s);
    return true;
  }

  /** Entry i of a CPU's store buffer, as the number its owner gave it; 0: none. */
  bufferedStore(s: Uint8Array, cpu: number, i: number): number {
    const at = blockOf(this.#layout, cpu) + this.#layout.buffer + 2 * i;
    return s[at]! | (s[at + 1]! << 8);
  }

  /** Breaks no law: others see the store when it is drained. */
  setBufferedStore(s: Uint8Array, cpu: number, i: number, store: number): void {
    const at = blockOf(this.#layout, cpu) + this.#layout.buffer + 2 * i;
    s[at] = store & 255;
    s[at + 1] = store >> 8;
    this.#findings.broken = 0;
  }

  /** The pointer of the CPU's last look-up, which is a register and no memory. */
  copyPointer(from: Uint8Array, to: Uint8Array, cpu: number): void {
    setPointer(this.#layout, to, cpu, pointerOf(this.#layout, from, cpu));
  }

  view(s: Uint8Array): MachineView {
    return viewOf(this.#layout, s);
  }
}
