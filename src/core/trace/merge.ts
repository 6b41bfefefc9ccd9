// Hot path: one turn an event. A binary heap of the streams' heads: log2(CPUs) comparisons an event.
import type { ContentionEvents } from "./ring-buffer.ts";

/**
 * Visits the events of all streams in the order of time. Streams are ordered in themselves; at
 * equal times the lower stream comes first.
 */
export function mergeByTime(
  streams: readonly ContentionEvents[],
  visit: (stream: number, row: number) => void,
): void {
  const next = new Uint32Array(streams.length);
  const headTime = new Float64Array(streams.length);
  const heap = new Int32Array(streams.length);
  let size = 0;
  for (let s = 0; s < streams.length; s += 1) {
    if (streams[s]!.length === 0) continue;
    headTime[s] = streams[s]!.t[0]!;
    heap[size] = s;
    size += 1;
  }
  for (let i = (size >> 1) - 1; i >= 0; i -= 1) sink(i);

  while (size > 0) {
    const stream = heap[0]!;
    const events = streams[stream]!;
    const row = next[stream]!;
    visit(stream, row);
    next[stream] = row + 1;
    if (row + 1 < events.length) {
      headTime[stream] = events.t[row + 1]!;
    } else {
      size -= 1;
      heap[0] = heap[size]!;
    }
    sink(0);
  }

  function before(a: number, b: number): boolean {
    const ta = headTime[a]!;
    const tb = headTime[b]!;
    return ta < tb || (ta === tb && a < b);
  }

  function sink(from: number): void {
    let i = from;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) return;
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, heap[i]!)) return;
      const held = heap[i]!;
      heap[i] = heap[child]!;
      heap[child] = held;
      i = child;
    }
  }
}
