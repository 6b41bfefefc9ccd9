#!/usr/bin/env node
import { existsSync } from "node:fs";

const main = new URL("../dist/app/cli/main.js", import.meta.url);
if (!existsSync(main)) {
  process.stderr.write("bootstorm: this checkout is not built yet\n  do:  npm run build\n");
  process.exit(3);
}
await import(main.href);
