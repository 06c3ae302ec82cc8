import type { CaseResult, RunResult } from "./case-result.ts";
import { formatNumber } from "./report.ts";

const width = 850;
/** Room for the longest name of a peer. */
const labelWidth = 340;
const valueWidth = 90;
const rowHeight = 22;
const headHeight = 34;
const axisHeight = 26;

// A drawing in an <img> follows the colour scheme of the reader, not of the page, so it holds both, with backgrounds.
const style = `
  .page { fill: #ffffff; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .head { font-weight: 600; } .minor { fill: #59636e; font-size: 11px; }
  .ours { fill: #0a7c5a; } .durable { fill: #4c78b8; } .peer { fill: #a3abb5; } .grid { stroke: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } text { fill: #e6edf3; } .minor { fill: #9198a1; }
    .ours { fill: #35c795; } .durable { fill: #6f9fe0; } .peer { fill: #6b7480; } .grid { stroke: #3d444d; }
  }`;

/** A drawing of a topic: for each case horizontal bars on a logarithmic axis, the best on top. */
export function plotTopic(results: readonly CaseResult[]): string {
  let y = 0;
  const panels = results.map((result) => {
    const { svg, height } = plotCase(result);
    const panel = `<g transform="translate(0 ${y})">${svg}</g>`;
    y += height;
    return panel;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img">
<style>${style}</style>
<rect class="page" width="100%" height="100%" rx="6"/>
${panels.join("\n")}
</svg>
`;
}

function plotCase(result: CaseResult): { svg: string; height: number } {
  const runs = [result.manyhands, ...result.peers].filter(({ value }) => value > 0);
  const sign = result.better === "higher" ? -1 : 1;
  const sorted = runs.toSorted((a, b) => sign * (a.value - b.value));
  const scale = logScale(runs.map(({ value }) => value));
  const bottom = headHeight + sorted.length * rowHeight;
  const grid = scale.ticks.map((tick) => {
    const x = scale.at(tick).toFixed(1);
    return `<line class="grid" x1="${x}" x2="${x}" y1="${headHeight}" y2="${bottom}"/><text class="minor" x="${x}" y="${bottom + 14}" text-anchor="middle">${formatNumber(tick)}</text>`;
  });
  const bars = sorted.map((run, row) => bar(run, result, headHeight + row * rowHeight, scale));
  const head = `<text class="head" x="8" y="20">${escape(result.case)} <tspan class="minor">${escape(`${result.unit}, ${result.better} is better`)}</tspan></text>`;
  return { svg: [head, ...grid, ...bars].join("\n"), height: bottom + axisHeight };
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** An axis whose decades begin below the least value: bars of a logarithmic axis have no zero to begin at. */
function logScale(values: readonly number[]): Scale {
  const first = Math.ceil(Math.log10(Math.min(...values)) - 1);
  const last = Math.max(Math.log10(Math.max(...values)), first + 1);
  const at = (value: number): number =>
    labelWidth + ((Math.log10(value) - first) / (last - first)) * (width - labelWidth - valueWidth);
  const ticks = Array.from({ length: Math.floor(last) - first + 1 }, (_, i) => 10 ** (first + i));
  return { ticks, at };
}

function bar(run: RunResult, { manyhands }: CaseResult, y: number, scale: Scale): string {
  const kind = run === manyhands ? "ours" : run.durable ? "durable" : "peer";
  const end = scale.at(run.value);
  const middle = y + rowHeight / 2 + 4;
  return `<text x="${labelWidth - 8}" y="${middle}" text-anchor="end">${escape(run.name)}</text><rect class="${kind}" x="${labelWidth}" y="${y + 3}" width="${Math.max(1, end - labelWidth).toFixed(1)}" height="${rowHeight - 6}"/><text x="${(end + 6).toFixed(1)}" y="${middle}">${formatNumber(run.value)}</text>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
