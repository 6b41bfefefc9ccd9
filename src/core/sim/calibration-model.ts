import { mix, stream } from "./chance.ts";
import { exponentialOf } from "./exact-math.ts";
import { plainStorm } from "./plain-storm.ts";
import { runStorm } from "./storm.ts";

/** What the fit looks for. */
export interface FreeParameters {
  readonly holdNs: number;
  readonly outsideNs: number;
  readonly fileNs: number;
  readonly spread: "none" | "exponential";
}

/** Processes that free files of secret memory, one file after the other. */
export interface FreeLoad {
  readonly processes: number;
  /** 4 KiB pages of one file. Freeing a file frees its pages back to back in the kernel. */
  readonly pagesPerFile: number;
  readonly filesPerProcess: number;
  /** Busy wait in user space after each file: known work outside the lock. */
  readonly delayNs: number;
}

/**
 * What a page takes each process under a load, on average, by the simulator: a file takes its own
 * time and its delay, and then, page by page, work, one global lock, the next page.
 *
 * A process alone never waits: Z + S + (file + delay) ÷ pages is exact then. The same seed meets the
 * same chance for any parameters, so that a difference of parameters is not drowned in chance.
 */
export class FreeModel {
  readonly #seed: number;
  readonly #means = new Map<string, Means>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  nsPerPage(parameters: FreeParameters, load: FreeLoad): number {
    const { holdNs, outsideNs, fileNs, spread } = parameters;
    const { processes, pagesPerFile, delayNs } = load;
    const batchNs = fileNs + delayNs;
    if (processes === 1) return holdNs + outsideNs + batchNs / pagesPerFile;
    const runs = runsOf(load, spread);
    const means = spread === "none" ? NOTHING_DRAWN : this.#drawnMeans(processes, runs);
    const ticks = TICKS / (holdNs + outsideNs);
    let lived = 0;
    for (const seed of this.#seeds(runs)) {
      const { vms } = runStorm(
        plainStorm({
          tasks: processes,
          pages: runs.pages,
          holdNs: Math.round((holdNs / means.hold) * ticks),
          thinkNs: Math.round((outsideNs / means.think) * ticks),
          batch: pagesPerFile,
          batchNs: Math.round(batchNs * ticks),
          spread,
          seed,
        }),
      );
      lived += vms.reduce((sum, vm) => sum + vm.bootNs, 0);
    }
    return lived / (runs.count * processes * runs.pages) / ticks;
  }

  /**
   * The mean of everything that will be drawn. Divided by it, holds and work have exactly the means
   * asked for, and a run says as much as one that is several times as long.
   */
  #drawnMeans(processes: number, runs: Runs): Means {
    const key = `${processes} ${runs.count} ${runs.pages}`;
    const known = this.#means.get(key);
    if (known !== undefined) return known;
    const mean = (purpose: "hold" | "think") => {
      let sum = 0;
      for (const seed of this.#seeds(runs)) {
        for (let task = 0; task < processes; task += 1) {
          const random = stream(seed, task, purpose);
          for (let page = 0; page < runs.pages; page += 1) sum += exponentialOf(random.u32());
        }
      }
      return sum / (runs.count * processes * runs.pages);
    };
    const means = { hold: mean("hold"), think: mean("think") };
    this.#means.set(key, means);
    return means;
  }

  #seeds({ count }: Runs): readonly number[] {
    return Array.from({ length: count }, (_, run) => mix(this.#seed, run));
  }
}

interface Means {
  readonly hold: number;
  readonly think: number;
}

const NOTHING_DRAWN: Means = { hold: 1, think: 1 };

/** Simulations of one load. */
interface Runs {
  readonly count: number;
  /** Of each process. */
  readonly pages: number;
}

/**
 * Many short runs rather than a long one: where a change of parameters makes two processes come to
 * the lock in the other order, all that follows is different, and the model jumps by what that adds.
 */
function runsOf(load: FreeLoad, spread: FreeParameters["spread"]): Runs {
  const { processes, pagesPerFile, filesPerProcess } = load;
  const files = Math.min(filesPerProcess, Math.ceil(PAGES_OF_RUN / pagesPerFile));
  const pages = files * pagesPerFile;
  const count = spread === "none" ? 1 : Math.ceil(PAGES_OF_ALL / (processes * pages));
  return { count, pages };
}

const PAGES_OF_RUN = 256;
const PAGES_OF_ALL = 4096;
/** Simulated times are whole ticks, so many to a page: rounding is as small for any unit. */
const TICKS = 2 ** 16;
