// Hot path: decodes pages of the kernel's ring buffer, one CPU at a time. A page is
//
//   u64  timestamp of the page
//   u64  commit: low 20 bits the bytes of data that follow; bit 31 events were lost before the page
//   data entries, each a u32 head (low 5 bits type_len, high 27 bits time delta), then
//     type_len 0       u32 bytes of payload + 4, payload          1..28  payload of 4 × type_len bytes
//     type_len 29      padding: delta 0 ends the page, else u32 bytes to skip
//     type_len 30      u32 high part of a long time delta         31     absolute time, high part
//
// Source: include/linux/ring_buffer.h and events/header_page, events/header_event of tracefs, v6.18.
// 28 bytes an event, some 145 events a page: the loop must not allocate.
import { assert } from "../assert.ts";
import type { AddressTable } from "../event/address-table.ts";
import type { StackBuilder } from "../event/stack-builder.ts";
import type { EventFormat } from "./event-format.ts";
import { PAGE_BYTES } from "./raw-recording.ts";

const PAGE_WORDS = PAGE_BYTES / 4;
const HEADER_WORDS = 4;
const COMMIT_MASK = 0xfffff;
const EVENTS_LOST_BIT = 31;
/** The smallest entry that becomes an event: head and the common fields. */
const ENTRY_BYTES_MIN = 12;
/** Interrupt levels that can hold a begin whose stack has not come: task, softirq, irq, NMI. */
const NESTING_MAX = 4;
const FRAMES_MAX = 128;

/** Which events of a recording mean what, by the kernel's numbers, and where their fields are. */
export interface EventLayout {
  readonly beginId: number;
  readonly endId: number;
  /** -1 when no stacks are recorded. */
  readonly stackId: number;
  /** In 32-bit words from the payload's start. */
  readonly lockWord: number;
  readonly flagsWord: number;
  readonly stackSizeWord: number;
  readonly stackCallersWord: number;
}

/** Contention events of one CPU in the order they were written. */
export interface ContentionEvents {
  readonly length: number;
  readonly t: Float64Array;
  readonly tid: Int32Array;
  readonly lock: Int32Array;
  readonly flags: Uint32Array;
  readonly stack: Int32Array;
  /** How long the kernel took to walk the stack, from the begin to the stack's own event. */
  readonly stackNs: Float64Array;
  /** 1 for `contention_end`. */
  readonly isEnd: Uint8Array;
}

export interface DecodedCpu {
  readonly contention: ContentionEvents;
  /** Events of other kinds, for readers that are in no hurry. */
  readonly others: readonly OtherEvent[];
  /** Pages or rests of pages whose bytes make no sense. */
  readonly brokenPages: number;
}

export interface OtherEvent {
  readonly t: number;
  readonly id: number;
  readonly tid: number;
  readonly payload: DataView;
}

/**
 * Where the fields are that the decoder reads.
 * @throws Error when a needed event or field is missing: the recorder saved the wrong formats
 */
export function eventLayout(formats: readonly EventFormat[]): EventLayout {
  const byName = new Map(formats.map((format) => [format.name, format]));
  const word = (event: string, field: string) => {
    const offset = byName.get(event)?.fields.get(field)?.offset;
    assert(offset !== undefined, `format of ${event} has ${field}`);
    assert(offset % 4 === 0, `${event}.${field} is aligned`);
    return offset / 4;
  };
  const stack = byName.get("kernel_stack");
  return {
    beginId: byName.get("contention_begin")?.id ?? -1,
    endId: byName.get("contention_end")?.id ?? -1,
    stackId: stack?.id ?? -1,
    lockWord: word("contention_begin", "lock_addr"),
    flagsWord: word("contention_begin", "flags"),
    stackSizeWord: stack ? word("kernel_stack", "size") : 0,
    stackCallersWord: stack ? word("kernel_stack", "caller") : 0,
  };
}

/**
 * Decodes the pages of one CPU. Bytes that make no sense end their page and are counted.
 * @param pages  whole pages, 4-byte aligned
 * @param originNs  becomes time 0
 * @param frames  numbers the return addresses that `stacks` is made of
 */
export function decodePages(
  pages: Uint8Array,
  originNs: bigint,
  layout: EventLayout,
  locks: AddressTable,
  frames: AddressTable,
  stacks: StackBuilder,
): DecodedCpu {
  assert(pages.length % PAGE_BYTES === 0, "pages are whole");
  const words = new Uint32Array(pages.buffer, pages.byteOffset, pages.length / 4);
  const { beginId, endId, stackId, lockWord, flagsWord, stackSizeWord, stackCallersWord } = layout;

  const capacity = Math.floor(pages.length / ENTRY_BYTES_MIN);
  let room = Math.min(capacity, Math.ceil(pages.length / 28) + 1);
  let t = new Float64Array(room);
  let tid = new Int32Array(room);
  let lock = new Int32Array(room);
  let flags = new Uint32Array(room);
  let stack = new Int32Array(room);
  let stackNs = new Float64Array(room);
  let isEnd = new Uint8Array(room);
  let length = 0;

  const others: OtherEvent[] = [];
  let brokenPages = 0;
  const awaitingStack = new Int32Array(NESTING_MAX);
  let awaiting = 0;
  const frameIds = new Int32Array(FRAMES_MAX);

  for (let page = 0; page < words.length; page += PAGE_WORDS) {
    const pageNs = (BigInt(words[page + 1]!) << 32n) | BigInt(words[page]!);
    let now = Number(pageNs - originNs);
    const commit = words[page + 2]!;
    if (commit >>> EVENTS_LOST_BIT) awaiting = 0;
    const dataWords = (commit & COMMIT_MASK) >>> 2;
    if (dataWords > PAGE_WORDS - HEADER_WORDS) {
      brokenPages += 1;
      continue;
    }
    const end = page + HEADER_WORDS + dataWords;
    let at = page + HEADER_WORDS;
    while (at < end) {
      const head = words[at]!;
      const typeLength = head & 31;
      const delta = head >>> 5;
      let payload = at + 1;
      let payloadWords = typeLength;
      if (typeLength > 28) {
        if (typeLength === 29) {
          if (delta === 0) break;
          now += delta;
          at += 1 + Math.ceil(words[at + 1]! / 4);
        } else {
          const high = words[at + 1]! * 0x8000000;
          // An absolute time keeps the low 59 bits; the highest five are the page's.
          now =
            typeLength === 30
              ? now + delta + high
              : absolute(pageNs, originNs, words[at + 1]!, delta);
          at += 2;
        }
        continue;
      }
      now += delta;
      if (typeLength === 0) {
        payload = at + 2;
        payloadWords = Math.ceil((words[at + 1]! - 4) / 4);
      }
      at = payload + payloadWords;
      if (payloadWords < 2 || at > end) {
        brokenPages += 1;
        break;
      }
      const id = words[payload]! & 0xffff;
      if (id === beginId || id === endId) {
        if (length === room) grow();
        const low = words[payload + lockWord]!;
        const high = words[payload + lockWord + 1]!;
        t[length] = now;
        tid[length] = words[payload + 1]!;
        lock[length] = locks.intern(high, low);
        stack[length] = -1;
        if (id === beginId) {
          flags[length] = words[payload + flagsWord]!;
          if (stackId !== -1) {
            if (awaiting === NESTING_MAX) awaiting = 0;
            awaitingStack[awaiting++] = length;
          }
        } else {
          isEnd[length] = 1;
        }
        length += 1;
      } else if (id === stackId) {
        // The stack follows its begin on the same CPU; an interrupt's pair may come between them.
        const size = Math.min(
          words[payload + stackSizeWord]!,
          FRAMES_MAX,
          (payloadWords - stackCallersWord) >> 1,
        );
        for (let i = 0; i < size; i += 1) {
          const caller = payload + stackCallersWord + i * 2;
          frameIds[i] = frames.intern(words[caller + 1]!, words[caller]!);
        }
        if (awaiting > 0) {
          const row = awaitingStack[--awaiting]!;
          stack[row] = stacks.intern(frameIds, Math.max(0, size));
          stackNs[row] = now - t[row]!;
        }
      } else {
        others.push({
          t: now,
          id,
          tid: words[payload + 1]! | 0,
          payload: new DataView(pages.buffer, pages.byteOffset + payload * 4, payloadWords * 4),
        });
      }
    }
  }

  /** Only needed when entries are smaller than those of the kernels we know. */
  function grow(): void {
    room *= 2;
    const widen = <A extends Float64Array | Int32Array | Uint32Array | Uint8Array>(
      old: A,
      wider: A,
    ) => {
      wider.set(old);
      return wider;
    };
    t = widen(t, new Float64Array(room));
    tid = widen(tid, new Int32Array(room));
    lock = widen(lock, new Int32Array(room));
    flags = widen(flags, new Uint32Array(room));
    stack = widen(stack, new Int32Array(room));
    stackNs = widen(stackNs, new Float64Array(room));
    isEnd = widen(isEnd, new Uint8Array(room));
  }

  return {
    contention: { length, t, tid, lock, flags, stack, stackNs, isEnd },
    others,
    brokenPages,
  };
}

function absolute(pageNs: bigint, originNs: bigint, high: number, delta: number): number {
  const low59 = (BigInt(high) << 27n) | BigInt(delta);
  return Number(((pageNs >> 59n) << 59n) + low59 - originNs);
}
