import { expect, test } from "vitest";
import {
  begin,
  end,
  FORMATS,
  newTask,
  rename,
  stack,
  type WrittenEvent,
  writePages,
} from "../../../test/fixtures/ring-buffer-writer.ts";
import { parseKallsyms } from "./kallsyms.ts";
import type { RawRecording } from "./raw-recording.ts";
import { readTracefs } from "./tracefs.ts";

const LOCK = 0xffffffff83b53c30n;
const BOOT = 400n * 86_400n * 1_000_000_000n;
const symbols = parseKallsyms(
  "ffffffff81346000 t __change_page_attr_set_clr\nffffffff81347000 T pgd_alloc\n",
);

function record(cpus: readonly (readonly WrittenEvent[])[], change: Partial<RawRecording> = {}) {
  return readTracefs(
    {
      clock: "mono",
      startNs: BOOT,
      endNs: BOOT + 1_000_000n,
      cpus: cpus.map((events, cpu) => ({
        cpu,
        pages: writePages(events),
        dropped: 0,
        pagesCut: 0,
      })),
      formats: FORMATS,
      tasks: [
        { tid: 50, pid: 50, process: "qemu" },
        { tid: 51, pid: 50, process: "qemu" },
      ],
      stacks: true,
      ...change,
    },
    symbols,
  );
}

const processOf = (trace: ReturnType<typeof record>, row: number) =>
  trace.processes[trace.tables.lockWait.process[row]!];

test("a wait that begins on one CPU and ends on another is one wait", () => {
  const trace = record([[begin(BOOT + 5n, 51, LOCK)], [end(BOOT + 9n, 51, LOCK)]]);
  expect(trace.tables.lockWait).toMatchObject({ length: 1 });
  expect([trace.tables.lockWait.t[0], trace.tables.lockWait.waitNs[0]]).toEqual([5, 4]);
  expect(trace.meta).toMatchObject({
    spanNs: 1_000_000,
    cpuCount: 2,
    events: 2,
    lost: 0,
    rejects: [],
  });
});

test("a return address at the end of a function belongs to that function", () => {
  const trace = record([
    [
      begin(BOOT + 1n, 51, LOCK),
      stack(BOOT + 2n, 51, [0xffffffff81347000n, 0xffffffff81347001n]),
      end(BOOT + 3n, 51, LOCK),
    ],
  ]);
  const names = Array.from(trace.stacks.frames, (frame) => trace.strings[frame]);
  expect(names).toEqual(["__change_page_attr_set_clr", "pgd_alloc"]);
});

test("threads belong to their process: those that were there, and those made while recording", () => {
  const CLONE_THREAD = 0x10000n;
  const wait = (at: bigint, tid: number) => [
    begin(BOOT + at, tid, LOCK),
    end(BOOT + at + 1n, tid, LOCK),
  ];
  const trace = record([
    [
      ...wait(1n, 51),
      newTask(BOOT + 10n, 51, 60, "CPU 0/KVM", CLONE_THREAD),
      ...wait(11n, 60),
      newTask(BOOT + 20n, 50, 61, "qemu", 0n),
      ...wait(21n, 61),
      rename(BOOT + 30n, 61, "sh"),
      ...wait(31n, 61),
      ...wait(40n, 9999),
    ],
  ]);
  expect([0, 1, 2, 3, 4].map((row) => processOf(trace, row))).toEqual([
    { pid: 50, name: "qemu" },
    { pid: 50, name: "qemu" },
    { pid: 61, name: "qemu" },
    { pid: 61, name: "sh" },
    undefined,
  ]);
});

test("what was dropped, cut off or broken is counted", () => {
  const broken = new Uint8Array(4096);
  new DataView(broken.buffer).setUint32(8, 4092, true);
  const trace = record([[]], {
    cpus: [{ cpu: 0, pages: broken, dropped: 3, pagesCut: 2 }],
  });
  expect(trace.meta.lost).toBe(3);
  expect(trace.meta.rejects.map(({ count }) => count)).toEqual([1, 2]);
});
