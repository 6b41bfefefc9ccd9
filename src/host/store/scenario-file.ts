import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { BootstormError, EXIT } from "../../core/error.ts";
import { type CostFile, readCostFile } from "../../core/kernel/cost/cost-file.ts";
import { type Path, pathText } from "../../core/scenario/problem.ts";
import type { ScenarioDocument } from "../../core/scenario/read.ts";
import { readWholeFile } from "./read.ts";

const SCENARIO_BYTES_MAX = 1 << 20;
const COST_FILE_BYTES_MAX = 1 << 20;

/**
 * Reads the text of a scenario file, YAML or JSON (which is YAML too).
 * @throws BootstormError CANNOT_READ, SCENARIO_TEXT
 */
export async function readScenarioFile(path: string): Promise<ScenarioDocument> {
  const remedies = ["name a YAML or JSON file; examples are in scenarios/"];
  const bytes = await readWholeFile(path, { bytesMax: SCENARIO_BYTES_MAX, remedies });
  return parseScenarioText(path, new TextDecoder().decode(bytes));
}

/**
 * Reads the file of a calibration.
 * @throws BootstormError CANNOT_READ, and what `readCostFile` throws
 */
export async function readScenarioCosts(path: string): Promise<CostFile> {
  const remedies = ["make one with: bootstorm calibrate"];
  const bytes = await readWholeFile(path, { bytesMax: COST_FILE_BYTES_MAX, remedies });
  return readCostFile(new TextDecoder().decode(bytes), path);
}

/**
 * Text → plain value and the position of each part of it.
 * @throws BootstormError SCENARIO_TEXT with every place where the text is not YAML
 */
export function parseScenarioText(file: string, text: string): ScenarioDocument {
  const lines = new LineCounter();
  // Aliases are cheap to write and dear to expand; a scenario of 1 MiB needs none of the tricks.
  const document = parseDocument(text, { lineCounter: lines, version: "1.2" });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return `${file}:${line}:${col} ${error.message.split(/ at line |\n/)[0]}`;
    });
    throw textError(problems);
  }
  const positions = new Map<string, { line: number; column: number }>();
  const note = (path: Path, offset: number) => {
    const { line, col } = lines.linePos(offset);
    positions.set(pathText(path), { line, column: col });
  };
  visit(document.contents, [], note);
  return { file, value: plainValue(file, () => document.toJS({ maxAliasCount: 100 })), positions };
}

/** A value stands where its text begins; a key without a value, and an unknown key, at the key. */
function visit(node: unknown, path: Path, note: (path: Path, offset: number) => void): void {
  if (!isNode(node) || isAlias(node)) return;
  if (isSeq(node)) {
    node.items.forEach((item, i) => {
      if (isNode(item) && item.range) note([...path, i], item.range[0]);
      visit(item, [...path, i], note);
    });
    return;
  }
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || !key.range) continue;
    const below = [...path, String(key.value)];
    const isScalarValue = isScalar(value) && value.range;
    note(below, isScalarValue ? value.range![0] : key.range[0]);
    visit(value, below, note);
  }
}

/** Expanding aliases may be refused. */
function plainValue(file: string, toJs: () => unknown): unknown {
  try {
    return toJs();
  } catch (error) {
    throw textError([`${file}:1:1 ${(error as Error).message}`]);
  }
}

function textError(problems: readonly string[]): BootstormError {
  return new BootstormError("SCENARIO_TEXT", problems.join("\n  "), {
    why: "the text is neither YAML nor JSON",
    exit: EXIT.usage,
  });
}
