import { assert } from "../assert.ts";
import type { CostsNs } from "../kernel/cost/cost-table.ts";

/** How CPUs are arranged. CPU c is thread floor(c/cores) of core c % cores, as Linux numbers EPYC. */
export interface Topology {
  readonly cpus: number;
  readonly sockets: number;
  /** Cores that share an L3. */
  readonly coresPerL3: number;
  readonly smt: number;
}

/** 0 the same CPU, 1 SMT sibling, 2 same L3, 3 same socket, 4 another socket. */
export type Distance = 0 | 1 | 2 | 3 | 4;
export const DISTANCES = 5;

export function distanceOf(topology: Topology, a: number, b: number): Distance {
  if (a === b) return 0;
  const cores = coresOf(topology);
  const coreA = a % cores;
  const coreB = b % cores;
  if (coreA === coreB) return 1;
  const perSocket = cores / topology.sockets;
  if (Math.floor(coreA / perSocket) !== Math.floor(coreB / perSocket)) return 4;
  const { coresPerL3 } = topology;
  const l3A = Math.floor((coreA % perSocket) / coresPerL3);
  const l3B = Math.floor((coreB % perSocket) / coresPerL3);
  return l3A === l3B ? 2 : 3;
}

/** Distances of all pairs, row by row; computed once for a topology. */
export function distanceTable(topology: Topology): Uint8Array {
  const known = TABLES.get(topology);
  if (known !== undefined) return known;
  const { cpus } = topology;
  const table = new Uint8Array(cpus * cpus);
  for (let a = 0; a < cpus; a += 1) {
    for (let b = 0; b < cpus; b += 1) table[a * cpus + b] = distanceOf(topology, a, b);
  }
  TABLES.set(topology, table);
  return table;
}

const TABLES = new WeakMap<Topology, Uint8Array>();

/** What a cache line takes from a CPU at each distance, one way. */
export function lineNs(costs: CostsNs): Float64Array {
  return Float64Array.of(0, costs.lineSmt, costs.lineL3, costs.lineSocket, costs.lineRemote);
}

/**
 * CPUs in the order idle ones are taken: first threads before second, and neighbours in the order
 * on different sockets and L3s, as Linux spreads load.
 */
export function spreadOrder(topology: Topology): Int32Array {
  const { cpus, sockets, coresPerL3 } = topology;
  const cores = coresOf(topology);
  const perSocket = cores / sockets;
  const key = (cpu: number) => {
    const core = cpu % cores;
    const inSocket = core % perSocket;
    return [
      Math.floor(cpu / cores),
      inSocket % coresPerL3,
      Math.floor(inSocket / coresPerL3),
      Math.floor(core / perSocket),
    ] as const;
  };
  const order = Array.from({ length: cpus }, (_, cpu) => cpu);
  order.sort((a, b) => {
    const [ka, kb] = [key(a), key(b)];
    for (let i = 0; i < ka.length; i += 1) if (ka[i] !== kb[i]) return ka[i]! - kb[i]!;
    return a - b;
  });
  return Int32Array.from(order);
}

function coresOf({ cpus, sockets, smt }: Topology): number {
  const cores = cpus / smt;
  assert(Number.isInteger(cores / sockets), "CPUs divide by sockets and threads");
  return cores;
}
