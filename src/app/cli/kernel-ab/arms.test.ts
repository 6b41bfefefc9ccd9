import { expect, test } from "vitest";
import { armWords } from "./arms.ts";

test("KERNEL[,WORD…]: the words go to the kernel; arms come one by one", () => {
  const two = armWords("./a-b/vmlinux", armWords("stock,debug_pagealloc=on,x"));
  expect(two).toEqual([
    { text: "stock,debug_pagealloc=on,x", kernel: "stock", words: ["debug_pagealloc=on", "x"] },
    { text: "./a-b/vmlinux", kernel: "./a-b/vmlinux", words: [] },
  ]);
});

test.each([
  "",
  ",x",
  "stock,",
  "stock,a b",
  "stock,a\nb",
  "Vmlinux",
  "stock,bootstorm.load=toggle",
  "dir/",
  `./${"x".repeat(300)}`,
])("%j is no arm", (text) => {
  expect(() => armWords(text)).toThrow(/is no KERNEL/);
});
