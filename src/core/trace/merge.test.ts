import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeByTime } from "./merge.ts";
import type { ContentionEvents } from "./ring-buffer.ts";

function streamAt(times: readonly number[]): ContentionEvents {
  const length = times.length;
  return {
    length,
    t: Float64Array.from(times),
    tid: new Int32Array(length),
    lock: new Int32Array(length),
    flags: new Uint32Array(length),
    stack: new Int32Array(length),
    stackNs: new Float64Array(length),
    isEnd: new Uint8Array(length),
  };
}

test("visits events in the order a stable sort by time gives, for any number of streams", () => {
  const times = fc.array(fc.nat(50), { maxLength: 30 }).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(fc.array(times, { maxLength: 9 }), (lists) => {
      const visited: string[] = [];
      mergeByTime(lists.map(streamAt), (stream, row) => visited.push(`${stream}:${row}`));
      const expected = lists
        .flatMap((list, stream) => list.map((t, row) => ({ t, stream, row })))
        .sort((a, b) => a.t - b.t || a.stream - b.stream || a.row - b.row);
      expect(visited).toEqual(expected.map(({ stream, row }) => `${stream}:${row}`));
    }),
  );
});
