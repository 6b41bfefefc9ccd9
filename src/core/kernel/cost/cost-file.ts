import { BootstormError, EXIT } from "../../error.ts";
import {
  calibratedCosts,
  type FittedCosts,
  type FittedTime,
  type SomeCosts,
} from "./calibrated-costs.ts";
import { COST_KEYS, type Cost, type CostKey } from "./cost-table.ts";

/** The table of costs that a calibration writes and a scenario names. */
export interface CostFile {
  /** Version of the format. */
  readonly bootstormCosts: 1;
  readonly name: string;
  /** The table that all other costs are of. */
  readonly base: "epyc-milan";
  readonly measuredOn: MeasuredOn;
  readonly costs: SomeCosts;
  /** What the costs were made of. */
  readonly fit: CostFit;
}

export interface MeasuredOn {
  /** The CPU model. */
  readonly host: string;
  readonly kernel: string;
  readonly cpus: number;
  readonly takenAt: string;
}

/** What a calibration found, for readers and for predictions of the same load. */
export interface CostFit extends FittedCosts {
  readonly outsideNs: FittedTime;
  readonly fileNs: FittedTime;
  readonly spread: "none" | "exponential";
  readonly kneeProcesses: { readonly value: number; readonly low: number; readonly high: number };
  readonly predictionErrorPercent: { readonly median: number; readonly max: number };
}

const VERSION = 1;
const BASE = "epyc-milan";
/** As in scenarios: 17 minutes for one operation are enough. */
const NS_MAX = 1e12;
const CPUS_MAX = 4096;
const TEXT_MAX = 200;
const PROBLEMS_SHOWN = 10;

/** The file of a calibration: JSON, always in the same order. */
export function costFileText(
  fit: CostFit,
  about: { readonly name: string; readonly measuredOn: MeasuredOn },
): string {
  const { host, kernel, cpus, takenAt } = about.measuredOn;
  const time = ({ ns, low, high, identified }: FittedTime) => ({ ns, low, high, identified });
  const { value, low, high } = fit.kneeProcesses;
  const { median, max } = fit.predictionErrorPercent;
  const file: CostFile = {
    bootstormCosts: VERSION,
    name: about.name,
    base: BASE,
    measuredOn: { host, kernel, cpus, takenAt },
    costs: calibratedCosts(fit),
    fit: {
      cpus: fit.cpus,
      holdNs: time(fit.holdNs),
      outsideNs: time(fit.outsideNs),
      fileNs: time(fit.fileNs),
      flushNs: time(fit.flushNs),
      faultNs: time(fit.faultNs),
      spread: fit.spread,
      kneeProcesses: { value, low, high },
      predictionErrorPercent: { median, max },
    },
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/**
 * @param name  of the file, for messages
 * @throws BootstormError COST_FILE_LATER; COST_FILE_WRONG with every problem: field, value, limit
 */
export function readCostFile(text: string, name: string): CostFile {
  const problems: string[] = [];
  const file = fileOf(parsed(text, name), name, problems);
  if (problems.length === 0) return file;
  const more = problems.length - PROBLEMS_SHOWN;
  const shown = problems.slice(0, PROBLEMS_SHOWN).join("; ");
  throw wrong(name, more > 0 ? `${shown}; and ${more} more` : shown);
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(name, "it is not JSON");
  }
}

function wrong(name: string, why: string): BootstormError {
  return new BootstormError("COST_FILE_WRONG", `${name} is not a table of costs`, {
    why,
    remedies: ["make one with: bootstorm calibrate"],
    exit: EXIT.input,
  });
}

type Fields = Readonly<Record<string, unknown>>;

function fileOf(value: unknown, name: string, problems: string[]): CostFile {
  const file = part({ file: value }, "file", "", problems);
  const { bootstormCosts: version } = file;
  if (typeof version === "number" && version > VERSION) {
    throw new BootstormError("COST_FILE_LATER", `${name} is of a later bootstorm`, {
      why: `it has version ${version}, this bootstorm reads up to version ${VERSION}`,
      exit: EXIT.input,
    });
  }
  if (version !== VERSION) problems.push(`bootstormCosts: ${shown(version)} is not ${VERSION}`);
  known(file, ["bootstormCosts", "name", "base", "measuredOn", "costs", "fit"], "", problems);
  const measuredOn = part(file, "measuredOn", "", problems);
  known(measuredOn, ["host", "kernel", "cpus", "takenAt"], "measuredOn.", problems);
  return {
    bootstormCosts: VERSION,
    name: textOf(file, "name", "", problems),
    base: oneOf(file, "base", [BASE], "", problems),
    measuredOn: {
      host: textOf(measuredOn, "host", "measuredOn.", problems),
      kernel: textOf(measuredOn, "kernel", "measuredOn.", problems),
      cpus: cpusOf(measuredOn, "measuredOn.", problems),
      takenAt: textOf(measuredOn, "takenAt", "measuredOn.", problems),
    },
    costs: costsOf(part(file, "costs", "", problems), problems),
    fit: fitOf(part(file, "fit", "", problems), problems),
  };
}

function costsOf(costs: Fields, problems: string[]): SomeCosts {
  known(costs, COST_KEYS, "costs.", problems);
  const keys = COST_KEYS.filter((key) => Object.hasOwn(costs, key));
  return Object.fromEntries(
    keys.map((key): [CostKey, Cost] => {
      const path = `costs.${key}.`;
      const cost = part(costs, key, "costs.", problems);
      known(cost, ["ns", "low", "high", "confidence", "source"], path, problems);
      const { value, low, high } = rangeOf(cost, "ns", path, problems);
      return [
        key,
        {
          ns: value,
          low,
          high,
          confidence: oneOf(cost, "confidence", ["high", "medium", "low"], path, problems),
          source: textOf(cost, "source", path, problems),
        },
      ];
    }),
  );
}

function fitOf(fit: Fields, problems: string[]): CostFit {
  const times = ["holdNs", "outsideNs", "fileNs", "flushNs", "faultNs"] as const;
  const others = ["cpus", "spread", "kneeProcesses", "predictionErrorPercent"];
  known(fit, [...times, ...others], "fit.", problems);
  const time = (key: (typeof times)[number]): FittedTime => {
    const path = `fit.${key}.`;
    const fields = part(fit, key, "fit.", problems);
    known(fields, ["ns", "low", "high", "identified"], path, problems);
    const { value, low, high } = rangeOf(fields, "ns", path, problems);
    return {
      ns: value,
      low,
      high,
      identified: oneOf(fields, "identified", ["well", "weakly"], path, problems),
    };
  };
  const knee = part(fit, "kneeProcesses", "fit.", problems);
  known(knee, ["value", "low", "high"], "fit.kneeProcesses.", problems);
  const error = part(fit, "predictionErrorPercent", "fit.", problems);
  known(error, ["median", "max"], "fit.predictionErrorPercent.", problems);
  const percent = (key: string) => numberOf(error, key, "fit.predictionErrorPercent.", problems);
  return {
    cpus: cpusOf(fit, "fit.", problems),
    holdNs: time("holdNs"),
    outsideNs: time("outsideNs"),
    fileNs: time("fileNs"),
    flushNs: time("flushNs"),
    faultNs: time("faultNs"),
    spread: oneOf(fit, "spread", ["none", "exponential"], "fit.", problems),
    kneeProcesses: rangeOf(knee, "value", "fit.kneeProcesses.", problems),
    predictionErrorPercent: { median: percent("median"), max: percent("max") },
  };
}

/** A value, under `key`, within its bounds. */
function rangeOf(fields: Fields, key: string, path: string, problems: string[]) {
  const value = numberOf(fields, key, path, problems);
  const low = numberOf(fields, "low", path, problems);
  const high = numberOf(fields, "high", path, problems);
  if (value < low || value > high) {
    problems.push(`${path}${key}: ${value} is not within low ${low} and high ${high}`);
  }
  return { value, low, high };
}

function part(fields: Fields, key: string, path: string, problems: string[]): Fields {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  problems.push(`${path}${key}: ${shown(value)} is not an object`);
  return {};
}

function numberOf(fields: Fields, key: string, path: string, problems: string[]): number {
  const value = fields[key];
  if (typeof value === "number" && value >= 0 && value <= NS_MAX) return value;
  problems.push(`${path}${key}: ${shown(value)} is not a number of 0 to ${NS_MAX}`);
  return 0;
}

function cpusOf(fields: Fields, path: string, problems: string[]): number {
  const { cpus } = fields;
  if (Number.isInteger(cpus) && (cpus as number) >= 1 && (cpus as number) <= CPUS_MAX)
    return cpus as number;
  problems.push(`${path}cpus: ${shown(cpus)} is not a whole number of 1 to ${CPUS_MAX}`);
  return 1;
}

/** On one line, without what a terminal would obey. */
function textOf(fields: Fields, key: string, path: string, problems: string[]): string {
  const value = fields[key];
  if (
    typeof value === "string" &&
    value.length > 0 &&
    value.length <= TEXT_MAX &&
    !/\p{C}/u.test(value)
  )
    return value;
  problems.push(
    `${path}${key}: ${shown(value)} is not a text of 1 to ${TEXT_MAX} printable characters`,
  );
  return "";
}

function oneOf<T extends string>(
  fields: Fields,
  key: string,
  values: readonly T[],
  path: string,
  problems: string[],
): T {
  const found = values.find((value) => value === fields[key]);
  if (found === undefined) {
    problems.push(`${path}${key}: ${shown(fields[key])} is not ${values.join(" or ")}`);
  }
  return found ?? values[0]!;
}

function known(fields: Fields, keys: readonly string[], path: string, problems: string[]): void {
  const unknown = Object.keys(fields).filter((key) => !keys.includes(key));
  problems.push(
    ...unknown.map((key) => `${path}${inShort(key)}: unknown (known: ${keys.join(", ")})`),
  );
}

/** A value as JSON has it; what is in lists and objects is left out. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return inShort(JSON.stringify(value));
}

function inShort(text: string): string {
  const printable = text.replace(/\p{C}/gu, "?");
  return printable.length > 40 ? `${printable.slice(0, 40)}…` : printable;
}
