// Makes a checkout ready to run: installs the locked packages when they are missing or older
// than the lock file, then compiles. Needs nothing but Node and npm, so that `npm start` and
// `npm test` work on a fresh clone.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs one step in the checkout and ends this process with its status if it fails. */
function step(what, command, args) {
  process.stderr.write(`bootstorm: ${what}\n`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) process.stderr.write(`bootstorm: cannot run ${command}: ${error.message}\n`);
  if (status !== 0) process.exit(status ?? 1);
}

const installed = `${root}node_modules/.package-lock.json`;
const lock = `${root}package-lock.json`;
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  step("installing the locked packages", "npm", [
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
  ]);
}
step("compiling", process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-b"]);
