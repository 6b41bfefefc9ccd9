// What ARCHITECTURE.md promises of the tree, checked by reading it.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Files of core that import nothing, or each other. */
const SMALL = ["units", "error", "assert", "random"];

/** Room → what it may import beside itself. What is not listed is refused. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  ...Object.fromEntries(SMALL.map((file) => [`core/${file}`, []])),
  "core/event": SMALL.map(core),
  "core/stats": SMALL.map(core),
  "core/facts": SMALL.map(core),
  "core/kernel": SMALL.map(core),
  "core/check": [...SMALL, "kernel"].map(core),
  "core/policy": SMALL.map(core),
  "core/govern": [...SMALL, "policy"].map(core),
  "core/scenario": [...SMALL, "policy"].map(core),
  "core/sim": [...SMALL, "kernel", "policy", "event", "stats", "scenario"].map(core),
  "core/plan": [...SMALL, "sim", "policy", "kernel", "stats", "scenario"].map(core),
  "core/trace": [...SMALL, "event"].map(core),
  "core/analyze": [...SMALL, "event", "facts", "stats"].map(core),
  "core/report": [...SMALL, "analyze", "facts", "stats", "check", "kernel", "plan"].map(core),
  "host/exec": ["core"],
  "host/store": ["core"],
  "host/cgroup": ["core", "host/exec", "host/store"],
  "host/governor": ["core", "host/exec", "host/store"],
  "host/guest": ["core", "host/exec", "host/store"],
  "host/probe": ["core", "host/exec", "host/store"],
  "host/qemu": ["core", "host/exec", "host/store"],
  "host/secretmem": ["core", "host/exec", "host/store"],
  "host/tracefs": ["core", "host/exec", "host/store"],
  "app/cli": ["core", "host", "app/governor"],
  "app/governor": ["core", "host"],
};

/** Packages that a room may import. */
const PACKAGES: Record<string, readonly string[]> = {
  "app/cli": ["commander"],
  "core/scenario": ["zod"],
  "host/exec": ["koffi"],
  "host/store": ["yaml"],
};

const sources = filesBelow("src").filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const products = sources.filter((path) => !path.endsWith(".test.ts"));

test("every import goes where the table allows", () => {
  const refused = products.flatMap((path) =>
    importsOf(path)
      .filter((target) => !isAllowed(path, target))
      .map((target) => `${path} imports ${target}`),
  );
  expect(refused).toEqual([]);
});

test("every room of the tree is in the table, and every room of the table is in the tree", () => {
  expect([...new Set(products.map(roomOf))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
});

test("the core reads no clock and no entropy", () => {
  const banned = /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bperformance\.now\b|\bcrypto\./;
  const found = products.filter(
    (path) => path.startsWith("src/core/") && banned.test(codeOf(path)),
  );
  expect(found).toEqual([]);
});

test("what is simulated is computed with what every engine rounds alike", () => {
  // ECMA-262 leaves logarithms and powers to the engine. Constant powers of two are exact in all.
  const exact = "abs|ceil|clz32|floor|imul|max|min|round|sqrt|LN2|SQRT2|SQRT1_2";
  const approximated = new RegExp(`\\bMath\\.(?!(?:${exact})\\b)|(?<!\\b2 )\\*\\*|\\*\\* (?!\\d)`);
  const rooms = ["core/random", "core/kernel", "core/policy", "core/scenario", "core/sim"];
  // A calibration fits what was measured once; storms read its numbers from a file.
  const simulated = products.filter(
    (path) => rooms.includes(roomOf(path)) && !path.startsWith("src/core/sim/calibration"),
  );
  expect(simulated.filter((path) => approximated.test(codeOf(path)))).toEqual([]);
});

test("analyze does not format", () => {
  const formatting = /\/units\.ts|toFixed|toLocaleString/;
  const analyze = products.filter((path) => path.startsWith("src/core/analyze/"));
  expect(analyze.filter((path) => formatting.test(codeOf(path)))).toEqual([]);
});

test("nothing is switched off: no any, no suppression, no forgotten test", () => {
  const banned =
    /(:|<|\bas) any\b(?! \w)|@ts-ignore|@ts-nocheck|biome-ignore|\.only\(|\btest\.skip\b|\bit\.skip\b/;
  const files = [...sources, ...filesBelow("test"), ...filesBelow("bench")].filter(
    (path) => path.endsWith(".ts") && !path.endsWith("tidy.test.ts"),
  );
  expect(files.filter((path) => banned.test(readText(path)))).toEqual([]);
});

test("tests neither sleep nor race a clock of their own", () => {
  const banned = /setTimeout\(|Date\.now|performance\.now|timers\/promises/;
  const files = [...sources, ...filesBelow("test")].filter((path) => path.endsWith(".test.ts"));
  expect(
    files.filter((path) => !path.endsWith("tidy.test.ts") && banned.test(codeOf(path))),
  ).toEqual([]);
});

test("every source file is imported by another, or is where a program starts", () => {
  const starts = [
    "src/app/cli/main.ts",
    "src/app/cli/calibrate/worker.ts",
    "src/app/cli/check/worker.ts",
    "src/app/cli/kernel-ab/predict-worker.ts",
    "src/app/cli/simulate/trace-worker.ts",
    "src/app/cli/simulate/worker.ts",
    "src/app/governor/lock-worker.ts",
    "src/host/secretmem/worker.ts",
  ];
  const used = new Set(products.flatMap(importsOf));
  const dead = products.filter((path) => !used.has(path) && !starts.includes(path));
  expect(dead).toEqual([]);
});

test("every dependency has its line in docs/dependencies.md, and no other has", () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readText("package.json"),
  );
  const all = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
  const listed = [...readText("docs/dependencies.md").matchAll(/^\| `([^`]+)` \|/gm)].map(
    ([, name]) => name,
  );
  expect(listed.sort()).toEqual(all.sort());
});

test("every relative link of the documents leads somewhere", () => {
  const documents = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    ...filesBelow("docs"),
  ];
  const broken = documents
    .filter((path) => path.endsWith(".md"))
    .flatMap((path) =>
      [...readText(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, target]) => posix.join(dirname(path), target!))
        .filter((target) => !exists(target))
        .map((target) => `${path}: ${target}`),
    );
  expect(broken).toEqual([]);
});

test("every command has its page in docs", () => {
  const entries = readText("src/app/cli/commands/index.ts").matchAll(/name: "(\w[\w-]*)"/g);
  const missing = [...entries].map(([, name]) => `docs/${name}.md`).filter((path) => !exists(path));
  expect(missing).toEqual([]);
});

function core(room: string): string {
  return `core/${room}`;
}

/** `src/core/event/codec.ts` → `core/event`; `src/core/error.ts` → `core/error`. */
function roomOf(path: string): string {
  const [, storey, room] = path.split("/");
  return `${storey}/${room!.replace(/\.ts$/, "")}`;
}

function isAllowed(path: string, target: string): boolean {
  const room = roomOf(path);
  const allowed = MAY_IMPORT[room] ?? [];
  if (target.startsWith("node:")) return !room.startsWith("core/");
  if (!target.startsWith("src/")) return PACKAGES[room]?.includes(target) ?? false;
  const targetRoom = roomOf(target);
  return (
    targetRoom === room ||
    allowed.some((each) => targetRoom === each || targetRoom.startsWith(`${each}/`))
  );
}

/** What a file imports: paths from the root for files of ours, names for packages. */
function importsOf(path: string): string[] {
  const pattern = /(?:\bfrom |\bimport |\bimport\(|\brequire\w*\()"([^"\n]+)"/g;
  return [...codeOf(path).matchAll(pattern)].map(([, target]) =>
    target!.startsWith(".") ? relative(ROOT, join(ROOT, dirname(path), target!)) : target!,
  );
}

/** The text of a file without its comments. */
function codeOf(path: string): string {
  return readText(path)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
}

function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function exists(path: string): boolean {
  try {
    readdirSync(join(ROOT, path));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOTDIR";
  }
}

/** Paths from the root of all files below a folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}
