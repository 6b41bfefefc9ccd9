import { element, group, type Markup, markupText, styleSheet } from "./markup.ts";
import { pageStyle } from "./page-style.ts";
import { proseMarkup } from "./prose.ts";
import type { Report } from "./report.ts";

/**
 * The report as one HTML file: opens from disk, asks nothing of the network, runs no script, and
 * follows the reader's light or dark theme.
 */
export function htmlPage(report: Report): string {
  const page = element("html", { lang: "en" }, group("", head(report.title), body(report), ""));
  return `<!doctype html>\n${markupText(page)}\n`;
}

function head(title: string): Markup {
  // Everything is inside the file; whatever slips in from outside can load and run nothing.
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  return element(
    "head",
    {},
    group(
      "",
      element("meta", { charset: "utf-8" }),
      element("meta", { "http-equiv": "Content-Security-Policy", content: policy }),
      element("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
      element("meta", { name: "color-scheme", content: "light dark" }),
      element("title", {}, title),
      styleSheet(pageStyle()),
      "",
    ),
  );
}

function body(report: Report): Markup {
  const items = report.findings.map((one) => element("li", {}, proseMarkup(one)));
  const findings = items.length === 0 ? undefined : element("ul", {}, group("", ...items, ""));
  const sections = report.sections.map((section) =>
    element(
      "section",
      { id: section.id, "aria-labelledby": `${section.id}-heading` },
      group("", element("h2", { id: `${section.id}-heading` }, section.title), section.html, ""),
    ),
  );
  return element(
    "body",
    {},
    group(
      "",
      element("header", {}, element("p", {}, element("b", {}, "bootstorm"), ` ${report.subject}`)),
      element(
        "main",
        {},
        group("", element("h1", {}, proseMarkup(report.answer)), findings, ...sections, ""),
      ),
      element("footer", {}, element("p", {}, report.colophon)),
      "",
    ),
  );
}
