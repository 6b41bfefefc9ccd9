import { expect, test } from "vitest";
import type { Permit } from "../../core/govern/permit.ts";
import { HolderWatch } from "./holders.ts";

/** Started at another time than this process. */
const GONE = { pid: process.pid, startTicks: "1" };

function permit(state: Permit["state"]): Permit {
  const ask = { id: 7, key: "k", vm: "v", tenant: 0, priority: 0, leaseNs: 1e9, holder: GONE };
  return { ask, state, askedNs: 0, leaseNs: 1e9 };
}

test("a launcher that ends has until the second look to tell how its boot went", () => {
  const ended: number[] = [];
  const watch = new HolderWatch((id) => ended.push(id));
  watch.note(permit("granted"));
  watch.look();
  expect(ended).toEqual([]);
  watch.look();
  expect(ended).toEqual([7]);
  watch.close();
});

test("one that has told by then is not said to have died", () => {
  const ended: number[] = [];
  const watch = new HolderWatch((id) => ended.push(id));
  watch.note(permit("granted"));
  watch.look();
  watch.note(permit("ended"));
  watch.look();
  watch.look();
  expect(ended).toEqual([]);
  watch.close();
});
