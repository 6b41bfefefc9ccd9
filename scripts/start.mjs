// `npm start`: prepare the checkout, then run the whole investigation on this machine.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

await import("./prepare.mjs");
const cli = fileURLToPath(new URL("../bin/bootstorm.js", import.meta.url));
// Where nobody can be asked, whoever typed `npm start` has asked for the job; the README says what
// it does to the host.
const agreed = process.stdin.isTTY && process.stderr.isTTY ? [] : ["--yes"];
const child = spawn(process.execPath, [cli, "investigate", ...agreed, ...process.argv.slice(2)], {
  stdio: "inherit",
});
// Ctrl-C reaches the child too, which cleans up; we only wait for it.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("close", (status) => process.exit(status ?? 1));
