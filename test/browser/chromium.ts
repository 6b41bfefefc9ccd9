import { type Browser, chromium } from "playwright-core";

/** Debian's Chromium without a window; the caller closes it. Needs `program chromium`. */
export function openChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
