import { colourVariables } from "./palette.ts";
import { chartRules, FONT_FAMILY } from "./svg.ts";

/** Viewports narrower than this get the narrow drawing of each chart. */
const NARROW_BELOW_PX = 720;

/** The style sheet of a page. */
export function pageStyle(): string {
  return `:root { color-scheme: light dark; ${colourVariables("light")} }
@media (prefers-color-scheme: dark) { :root { ${colourVariables("dark")} } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 56.25rem; overflow-wrap: break-word;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.6 ${FONT_FAMILY}; font-variant-numeric: tabular-nums;
}
header p { margin: 0 0 2.5rem; color: var(--muted); font-size: 0.9375rem; }
header b { color: var(--ink); font-weight: 650; margin-right: 0.4em; }
h1 {
  margin: 0 0 1.75rem; font-weight: 600; letter-spacing: -0.011em; text-wrap: pretty;
  font-size: clamp(1.3125rem, 1.05rem + 1.4vw, 1.75rem); line-height: 1.38;
}
h2 { margin: 4rem 0 1rem; font-size: 1.25rem; font-weight: 600; line-height: 1.3; }
p, li, dd { text-wrap: pretty; }
p, ul { max-width: 44rem; }
ul { padding-left: 1.2em; margin: 0; }
li { margin: 0.4rem 0; }
li::marker { color: var(--muted); }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.9em; }
p code, li code, h1 code { display: inline-block; max-width: 100%; }
h1 code { font-size: 0.88em; font-weight: 600; letter-spacing: -0.02em; }
.muted, dt, summary, footer { color: var(--muted); }
figure { margin: 1.5rem 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { max-width: 30rem; }
figure svg.unshrunk { min-width: 44rem; }
@media (min-width: ${NARROW_BELOW_PX}px) { figure svg.narrow { display: none; } }
@media (max-width: ${NARROW_BELOW_PX - 0.02}px) { figure svg.wide { display: none; } }
.scroll { overflow-x: auto; margin: 0 0 1rem; }
.scroll:focus-visible, pre:focus-visible, summary:focus-visible { outline: 2px solid var(--blue); outline-offset: 4px; }
table { border-collapse: collapse; font-size: 0.8125rem; line-height: 1.4; min-width: 100%; }
.caption { margin: 1.5rem 0 0.4rem; font-size: 0.875rem; }
.scroll + .muted { font-size: 0.875rem; }
th, td { padding: 0.4rem 0.8rem 0.4rem 0; text-align: left; vertical-align: baseline; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); white-space: nowrap; border-bottom: 1px solid var(--muted); }
tbody th, tbody td { border-bottom: 1px solid var(--rule); }
td code, th code { white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
tbody .bar { background: linear-gradient(var(--rule), var(--rule)) left 50% / calc(var(--share) * 0.62) 62% no-repeat; min-width: 8rem; }
dl.facts { margin: 1rem 0; }
dl.facts div { display: grid; grid-template-columns: 10rem 1fr; gap: 0 1rem; padding: 0.2rem 0; }
dt, dd { margin: 0; overflow-wrap: anywhere; }
dd p { margin: 0.1rem 0 0; font-size: 0.875rem; }
.state { font-weight: 600; }
.state.ok { color: var(--green); }
.state.limited { color: var(--amber); }
.state.missing { color: var(--vermillion); }
details { margin: 1.5rem 0; }
summary { cursor: pointer; width: fit-content; }
pre { margin: 0; padding: 1rem 1.25rem; background: var(--shade); overflow-x: auto; }
footer { margin-top: 4rem; font-size: 0.875rem; }
@media (max-width: 36rem) {
  dl.facts div { grid-template-columns: 1fr; padding: 0.35rem 0; }
  h2 { margin-top: 3rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 0.8125rem; }
  figure, table { break-inside: avoid; }
  .scroll { overflow: visible; }
}
${chartRules()}
`;
}
