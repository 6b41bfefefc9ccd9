import { assert } from "../assert.ts";
import { mix } from "./chance.ts";
import type { StormSetup } from "./setup.ts";
import type { StormTasks } from "./storm-tasks.ts";

/** Which 2 MiB region of the host's memory a page of a guest lies in. */
export class GuestMemory {
  readonly #scattered: boolean;
  readonly #regions: number;
  readonly #seed: number;
  /** By task; helpers work on their VM's memory. */
  readonly #firstFrame: Float64Array;

  constructor(setup: StormSetup, tasks: StormTasks) {
    const { memory, seed } = setup;
    this.#scattered = memory.placement === "scattered";
    this.#regions = memory.regions;
    this.#seed = seed;
    this.#firstFrame = firstFrames(setup, tasks);
  }

  regionOf(task: number, page: number): number {
    const frame = this.#firstFrame[task]! + page;
    if (this.#scattered) return mix(frame, this.#seed) % this.#regions;
    return Math.floor(frame / 512);
  }

  /** How many operations, from the one on this page on, are sure to stay in its region. */
  operationsInRegion(task: number, page: number, pagesPerOp: number): number {
    if (this.#scattered) return 1;
    const place = (this.#firstFrame[task]! + page) % 512;
    return Math.max(1, Math.floor((512 - place) / pagesPerOp));
  }
}

function firstFrames({ vms, background, memory }: StormSetup, tasks: StormTasks): Float64Array {
  const frames = new Float64Array(tasks.count);
  let free = 0;
  const place = (task: number, pages: number, wish: number | undefined) => {
    frames[task] = wish ?? free;
    if (wish === undefined) free += Math.ceil(pages / 512) * 512;
    assert(free <= memory.regions * 512, "the host has the memory of its guests");
  };
  vms.forEach((vm, v) => {
    place(v, vm.pages, vm.firstFrame);
    frames.fill(frames[v]!, tasks.helpers[v]!, tasks.helpers[v + 1]!);
  });
  background.forEach((task, i) => {
    place(tasks.background + i, task.pages, task.firstFrame);
  });
  return frames;
}
