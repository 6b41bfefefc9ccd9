import { expect, test } from "vitest";
import { parseKallsyms } from "./kallsyms.ts";

const text = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff813460d0 t __pfx___change_page_attr_set_clr
ffffffff813460e0 t __change_page_attr_set_clr
ffffffff81346900 t set_direct_map_invalid_noflush
ffffffff81346900 T set_direct_map_alias
ffffffffc0a01000 t kvm_init	[kvm]
`;

/** As a kernel with CONFIG_KALLSYMS_ALL has them: thousands of names of data. */
const objects = Array.from(
  { length: 1500 },
  (_, i) => `${(0xffffffff84000000n + BigInt(i) * 8192n).toString(16)} d object_${i}`,
).join("\n");

test("an address inside a function has the function's name, without its padding symbol", () => {
  const symbols = parseKallsyms(text);
  expect(symbols.functionAt(0xffffffff81346171n)).toBe("__change_page_attr_set_clr");
  expect(symbols.functionAt(0xffffffff813460e0n)).toBe("__change_page_attr_set_clr");
  expect(symbols.functionAt(0x1000n)).toBeUndefined();
});

test("a module's function is named without the module", () => {
  expect(parseKallsyms(text).functionAt(0xffffffffc0a01010n)).toBe("kvm_init");
});

test("of two names for one address the first in the file is used", () => {
  expect(parseKallsyms(text).functionAt(0xffffffff81346900n)).toBe(
    "set_direct_map_invalid_noflush",
  );
});

test("a kernel that hides its addresses from us is not readable", () => {
  expect(parseKallsyms(text.replace(/^[0-9a-f]{16}/gm, "0".repeat(16))).readable).toBe(false);
  expect(parseKallsyms("").readable).toBe(false);
  expect(parseKallsyms(text).readable).toBe(true);
});

test("locks are named only where the kernel has names for its data", () => {
  const all = parseKallsyms(`${text}${objects}\nffffffff83b53c30 b cpa_lock\n`);
  expect(all.hasObjects).toBe(true);
  expect(all.objectAt(0xffffffff83b53c30n)).toBe("cpa_lock");
  expect(all.objectAt(0xffffffff83b53c70n)).toBe("cpa_lock+0x40");
  expect(all.objectAt(0xffffffff83b5ac30n)).toBeUndefined();
  const few = parseKallsyms(`${text}ffffffff83b53c30 b __bss_start\n`);
  expect(few.hasObjects).toBe(false);
  expect(few.objectAt(0xffffffff83b53c30n)).toBeUndefined();
});

test("half a last line is no harm", () => {
  for (let cut = 0; cut < text.length; cut += 1) parseKallsyms(text.slice(0, cut));
});
