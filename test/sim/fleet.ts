import type { CostsNs } from "../../src/core/kernel/cost/cost-table.ts";
import type { Design } from "../../src/core/kernel/design.ts";
import type { StormSetup } from "../../src/core/sim/setup.ts";

/** A fleet that accepts all its memory in 4 KiB pages on a host of 2022. */
export function fleet(of: {
  readonly vms: number;
  readonly cpus: number;
  readonly gib: number;
  readonly design: Design;
  readonly costs: CostsNs;
  readonly spread?: StormSetup["spread"];
  readonly start?: (vm: number) => number;
  readonly sizes?: (vm: number) => number;
  readonly seed?: number;
}): StormSetup {
  const pages = (vm: number) => Math.round(of.gib * 262_144 * (of.sizes?.(vm) ?? 1));
  const regions = Array.from({ length: of.vms }, (_, v) => Math.ceil(pages(v) / 512));
  return {
    topology: {
      cpus: of.cpus,
      sockets: of.cpus >= 8 ? 2 : 1,
      coresPerL3: Math.min(8, of.cpus / 4),
      smt: 2,
    },
    costs: of.costs,
    design: of.design,
    flush: "ipi",
    memory: {
      regions: Math.ceil(regions.reduce((a, b) => a + b, 0) / 512) * 512,
      share1g: 0,
      share2m: 1,
      placement: "contiguous",
    },
    vms: regions.map((_, v) => ({
      name: `vm${v}`,
      group: 0,
      tenant: 0,
      priority: 0,
      startNs: of.start?.(v) ?? 0,
      pages: pages(v),
      tasks: 1,
      phases: [
        { kind: "work", name: "create", ns: 5_000_000 },
        {
          kind: "pages",
          name: "accept",
          ops: [0],
          count: pages(v),
          passes: 1,
          pagesPerOp: 1,
          firstPage: 0,
          batch: 64 * 512,
          batchNs: 8200,
          asks: true,
          pspNs: 0,
          split: false,
        },
      ],
    })),
    background: [],
    ops: [{ kind: "kernel", request: "private-2022", leadNs: of.costs.fault4k }],
    policy: undefined,
    spread: of.spread ?? "none",
    phaseSpread: 0,
    seed: of.seed ?? 1,
    grain: "sections",
  };
}
