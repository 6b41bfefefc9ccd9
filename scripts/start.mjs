// `npm start`: prepare the checkout, then run the whole investigation on this machine.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

await import("./prepare.mjs");
const cli = fileURLToPath(new URL("../bin/bootstorm.js", import.meta.url));
const { status, signal } = spawnSync(
  process.execPath,
  [cli, "investigate", ...process.argv.slice(2)],
  { stdio: "inherit" },
);
process.exit(signal ? 130 : (status ?? 1));
