import { expect, test } from "vitest";
import { BootstormError } from "../../../core/error.ts";
import { type Demand, requireCapacity, roomFor } from "./capacity.ts";

const GIB = 2 ** 30;
const HOST = { cpus: 2, memAvailableBytes: 20 * GIB };

const small = (vms: number): Demand => ({ vms, vcpus: 1, memoryBytes: GIB / 4 });
const large = (vms: number): Demand => ({ vms, vcpus: 4, memoryBytes: 4 * GIB });

function refusal(...demands: Demand[]): BootstormError | undefined {
  try {
    requireCapacity(demands, HOST);
    return undefined;
  } catch (error) {
    if (error instanceof BootstormError) return error;
    throw error;
  }
}

test("80 % of the available memory and 32 vCPUs a CPU are the most", () => {
  // 16 GiB / 320 MiB = 51.2
  expect(refusal(small(51))).toBeUndefined();
  expect(refusal(small(52))).toMatchObject({
    code: "STORM_TOO_LARGE",
    why: "52 VMs × (256 MiB + 64.0 MiB for the VMM) = 16.3 GiB, more than 80 % of the 20.0 GiB that are available",
    remedies: ["at most 51 at once", "--force starts them all the same"],
  });
  const tiny = (vms: number): Demand => ({ vms, vcpus: 1, memoryBytes: 0 });
  expect(refusal(tiny(64))).toBeUndefined();
  expect(refusal(tiny(65))?.why).toBe("65 VMs × 1 vCPU on 2 CPUs = 33 vCPUs a CPU, more than 32");
});

test("groups are added up, each with its own numbers", () => {
  expect(refusal(small(2), large(3))).toBeUndefined();
  expect(refusal(small(2), large(4))?.why).toMatch(
    /^2 VMs × \(256 MiB \+ .*\) \+ 4 VMs × \(4.00 GiB \+ .*\) = 16.9 GiB/,
  );
});

test("what is refused fits when as many are asked for as the remedy says", () => {
  for (const vms of [52, 100, 1000]) {
    const [remedy] = refusal(small(vms))!.remedies;
    const most = Number(/\d+/.exec(remedy!)![0]);
    expect(refusal(small(most))).toBeUndefined();
    expect(roomFor([small(vms)], HOST)).toBe(most);
  }
  expect(roomFor([small(3)], HOST)).toBe(3);
});
