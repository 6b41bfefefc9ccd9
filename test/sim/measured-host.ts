// A host that calibration knows nothing of: processes, files, one lock, by hand and one step at a
// time. It shares no code with the simulator.
import { randomFrom } from "../../src/core/random.ts";

export interface Host {
  readonly holdNs: number;
  readonly outsideNs: number;
  readonly fileNs: number;
  readonly law: "none" | "exponential" | "lognormal";
  /** Standard deviation of the logarithm of what a repetition shows. */
  readonly noise: number;
}

export interface Sweep {
  readonly processes: readonly number[];
  readonly pagesPerFile: readonly number[];
  readonly delaysNs: readonly number[];
  /** About so many pages a process. */
  readonly pages: number;
  readonly repetitions: number;
}

interface Load {
  readonly processes: number;
  readonly pagesPerFile: number;
  readonly filesPerProcess: number;
  readonly delayNs: number;
}

/** What a calibration is given: points of all combinations. */
export function measure(host: Host, sweep: Sweep, seed: number) {
  const uniform = uniformFrom(seed);
  return sweep.pagesPerFile.flatMap((pagesPerFile) =>
    sweep.processes.flatMap((processes) =>
      sweep.delaysNs.map((delayNs) => {
        const filesPerProcess = Math.ceil(sweep.pages / pagesPerFile);
        const load = { processes, pagesPerFile, filesPerProcess, delayNs };
        const nsPerPage = Array.from(
          { length: sweep.repetitions },
          () => nsPerPageOf(host, load, uniform) * Math.exp(host.noise * normal(uniform)),
        );
        return { ...load, nsPerPage };
      }),
    ),
  );
}

/** Mean over the processes of a page's time, without noise, over many runs. */
export function trueNsPerPage(host: Host, load: Load, runs: number, seed: number): number {
  const uniform = uniformFrom(seed);
  let sum = 0;
  for (let run = 0; run < runs; run += 1) sum += nsPerPageOf(host, load, uniform);
  return sum / runs;
}

/** Who asks first gets the lock first; it is given on when it is free. */
function nsPerPageOf(host: Host, load: Load, uniform: () => number): number {
  const { processes, pagesPerFile, filesPerProcess, delayNs } = load;
  const pages = pagesPerFile * filesPerProcess;
  const draw = drawOf(host, uniform);
  const beforeFile = host.fileNs + delayNs;
  const asksAt = Array.from({ length: processes }, () => beforeFile + draw(host.outsideNs));
  const pagesDone = asksAt.map(() => 0);
  let lockFreeAt = 0;
  let endsSum = 0;
  for (let left = processes; left > 0; ) {
    let first = -1;
    for (let p = 0; p < processes; p += 1) {
      if (pagesDone[p]! < pages && (first < 0 || asksAt[p]! < asksAt[first]!)) first = p;
    }
    lockFreeAt = Math.max(lockFreeAt, asksAt[first]!) + draw(host.holdNs);
    pagesDone[first]! += 1;
    const done = pagesDone[first]!;
    if (done === pages) {
      endsSum += lockFreeAt;
      left -= 1;
    } else {
      const between = done % pagesPerFile === 0 ? beforeFile : 0;
      asksAt[first] = lockFreeAt + between + draw(host.outsideNs);
    }
  }
  return endsSum / processes / pages;
}

/** Times with that mean; log-normal ones with a standard deviation of 0.4 of the logarithm. */
function drawOf({ law }: Host, uniform: () => number): (mean: number) => number {
  switch (law) {
    case "none":
      return (mean) => mean;
    case "exponential":
      return (mean) => -mean * Math.log(uniform());
    case "lognormal":
      return (mean) => mean * Math.exp(0.4 * normal(uniform) - 0.08);
  }
}

function uniformFrom(seed: number): () => number {
  const random = randomFrom(seed);
  return () => (random.u32() + 0.5) / 2 ** 32;
}

function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
