import { asciiOnly, visible, wrap } from "./plain-text.ts";
import { proseText } from "./prose.ts";
import type { Report, TextSize } from "./report.ts";

/** The report for a terminal: plain text, ending in a newline. */
export function terminalReport(report: Report, size: TextSize): string {
  const { width } = size;
  const parts = [
    wrap(proseText(report.answer), width),
    ...(report.findings.length === 0 ? [] : [findings(report, width)]),
    ...report.sections.flatMap((section) =>
      section.text === undefined ? [] : [`${heading(section.title, size)}\n${section.text(size)}`],
    ),
    wrap(visible(report.colophon), width),
  ];
  const text = `${parts.join("\n\n")}\n`;
  return size.ascii ? asciiOnly(text) : text;
}

function findings(report: Report, width: number): string {
  return report.findings.map((one) => wrap(`- ${proseText(one)}`, width, "  ")).join("\n");
}

function heading(title: string, { ascii }: TextSize): string {
  return `${title}\n${(ascii ? "-" : "─").repeat(title.length)}`;
}
