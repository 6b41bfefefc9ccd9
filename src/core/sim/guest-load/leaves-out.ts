import type { GuestCosts } from "./guest-costs.ts";
import type { PredictionInput } from "./prediction.ts";

/** What the model leaves out, and which number that bends. */
export function leavesOut(input: PredictionInput, costs: GuestCosts): readonly string[] {
  const { base, hostCpus } = input;
  const takesTurns = base.some(({ threads }) => threads > hostCpus);
  const splitsTogether = base.some(({ load, threads }) => load === "split" && threads > 1);
  return [
    ...ALWAYS,
    ...(takesTurns && costs.spinNs === undefined ? [SPINS_TO_THE_END] : []),
    ...(splitsTogether && costs.runningAnswerNs === undefined ? [ANSWERS_ALIKE] : []),
    ...(input.spinlock === "queued" ? [BEFORE_THE_CLIFF] : []),
    ...ofDesigns(input),
    ...ofPoints(input),
  ];
}

const ALWAYS: readonly string[] = [
  "Other work of the host: its CPUs are the guest's alone. Next to other work everything is slower than predicted, most of all where a lock or a flush waits for a vCPU without a CPU.",
  "What of a contended change is hold and what is hand-over: two threads show the sum. As little hand-over as can be is assumed; another share would bend the base's rate of more threads than two.",
  "Unfairness among vCPUs that run: the first to wait gets the lock. A test-and-set lock may go back to the same thread many times: rates have that in them, as far as two threads show it; times of waiting would not.",
  "The host's scheduler but for turns, assumed to be 4 ms on average, in order of arrival; intervals do not know of that. A vCPU that is woken up to answer waits for its turn like all others, where a host may let it go first: splits of fewer threads than vCPUs are predicted too slow where there are more vCPUs than CPUs.",
  "That CPUs slow each other down where all are busy: two threads that share no lock are predicted to get twice as much done as one, and may get less.",
  "What a flush does to the speed of the code after it, and how code of different kernels lies in memory: differences between kernels with one thread are not predicted.",
];

const SPINS_TO_THE_END =
  "That a vCPU which spins may give up its CPU before its turn is over: no point of the base kernel with more toggling threads than CPUs tells how soon. Where a vCPU waits for a CPU that another one spins on, what is predicted is too slow.";

const ANSWERS_ALIKE =
  "That a vCPU which runs answers a flush sooner than one that has to be woken up: no point of the base kernel with two splitting threads on two vCPUs tells how soon. To split is predicted too slow for threads that all have CPUs.";

const BEFORE_THE_CLIFF =
  "The first milliseconds, until a vCPU loses its CPU for the first time: with queued spinlocks and more vCPUs than CPUs a short measurement gets far more done than is predicted.";

function ofDesigns({ designs }: PredictionInput): readonly string[] {
  const has = (name: string) => designs.some((design) => design.name === name);
  const found: string[] = [];
  if (has("per-pmd-lock")) {
    found.push(
      "That the patch of per-pmd-lock looks an entry up once, under the lock, where the design does before and under it; and that two of its locks may be one, by a hash.",
    );
  }
  if (designs.some(({ start }) => start === "4k")) {
    found.push(
      "That with debug_pagealloc every allocation and every free changes the direct map: it is predicted a little too fast.",
    );
  }
  return found;
}

function ofPoints({ base }: PredictionInput): readonly string[] {
  const splits = base.filter(({ load }) => load === "split");
  const alone = splits.filter(({ threads }) => threads === 1).map(({ vcpus }) => vcpus);
  const found: string[] = [];
  if (splits.length > 0 && !alone.includes(1)) {
    found.push(
      "What a split takes without a flush: no guest with one vCPU was measured, so it is the cost table's share. The rest counts as flush.",
    );
  }
  for (const vcpus of new Set(splits.map((point) => point.vcpus))) {
    if (!alone.includes(vcpus)) {
      found.push(
        `Splits in guests with ${vcpus} vCPUs: one thread of the base kernel was not measured there, so what a flush takes is not known.`,
      );
    }
  }
  return found;
}
