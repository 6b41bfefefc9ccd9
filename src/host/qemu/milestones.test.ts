import { expect, test } from "vitest";
import { createSightings, debugPortSigns } from "./milestones.ts";

test("the debug port knows our bytes and those of public tools, and no others", () => {
  const told = (bytes: Uint8Array) => debugPortSigns(bytes).map(({ milestone }) => milestone);
  expect(told(Buffer.from("ir"))).toEqual(["init", "ready"]);
  expect(told(Uint8Array.of(0x40, 0x41, 6, 7))).toEqual(["kernel", "init", "kernel", "init"]);
  const known = new Set([..."ir@A\x06\x07"].map((char) => char.charCodeAt(0)));
  const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !known.has(byte));
  expect(told(Uint8Array.from(others))).toEqual([]);
});

test("who tells first gives time and source; who tells later may add the guest's clock", () => {
  const { seen, note } = createSightings();
  const first = { atNs: 10, source: "debug-port" };
  expect(note("ready", "debug-port", 10)).toEqual(first);
  expect(note("ready", "serial", 12, 77)).toBeUndefined();
  expect(note("ready", "serial", 13, 99)).toBeUndefined();
  expect(seen).toEqual({ ready: { ...first, guestNs: 77 } });
});
