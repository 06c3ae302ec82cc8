import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { History as Figures, HistoryFigure } from "../../shared/wire/history.ts";
import { formatBytes, formatCount, formatRate, formatShare } from "../ui/format.ts";
import { request } from "./api.ts";
import { texts } from "./texts/current.ts";
import type { Texts } from "./texts/en/texts.ts";

const everyMs = 60_000;

type Column = readonly (number | null)[];

interface Curve {
  readonly name: string;
  readonly of: (figures: Figures["figures"]) => Column;
  readonly isBad?: boolean;
}

/** A chart of the last day: one or two curves of a figure. */
interface Chart {
  readonly title: string;
  readonly curves: readonly Curve[];
  readonly format: (value: number) => string;
  /** Distances that labels may have; round decimal ones unless told. */
  readonly steps?: number[];
}

/** KiB and MiB are round in powers of two. */
const powersOfTwo = Array.from({ length: 44 }, (_, exponent) => 2 ** exponent);

const perSecond =
  (name: HistoryFigure) =>
  (figures: Figures["figures"]): Column =>
    figures[name].map((value) => value && value / 60);
const plain =
  (name: HistoryFigure) =>
  (figures: Figures["figures"]): Column =>
    figures[name];

function chartsIn(text: Texts["overview"]["history"]): readonly Chart[] {
  return [
    {
      title: text.throughput,
      curves: [
        { name: text.done, of: perSecond("done") },
        { name: text.failed, of: perSecond("failed"), isBad: true },
      ],
      format: formatRate,
    },
    {
      title: text.latency,
      curves: [{ name: text.mean, of: plain("latencyMs") }],
      format: (ms) => `${formatCount(Math.round(ms))} ms`,
    },
    {
      title: text.bytes,
      curves: [
        { name: text.in, of: perSecond("bytesIn") },
        { name: text.out, of: perSecond("bytesOut") },
      ],
      format: (bytes) => `${formatBytes(bytes)}/s`,
      steps: powersOfTwo,
    },
    {
      title: text.cacheHits,
      curves: [
        {
          name: text.ofReferences,
          of: ({ cached, references }) =>
            references.map((count, at) => (count === null || count === 0 ? null : (cached[at] ?? 0) / count)),
        },
      ],
      format: formatShare,
    },
    {
      title: text.clients,
      curves: [
        { name: text.clientsCurve, of: plain("clients") },
        { name: text.slots, of: plain("slots") },
      ],
      format: (count) => formatCount(Math.round(count)),
    },
  ];
}

/** The last 24 hours, a number a minute. */
export function History(): JSX.Element | null {
  const history = useSignal<Figures | undefined>(undefined);
  useEffect(() => {
    const ask = (): void => {
      if (document.visibilityState === "hidden" && history.value) return;
      // The banner of old figures says that the server is away.
      request("GET", "api/history").then(
        (reply) => (history.value = reply as Figures),
        () => undefined,
      );
    };
    ask();
    const timer = setInterval(ask, everyMs);
    return () => clearInterval(timer);
  }, []);
  if (!history.value) return null;
  const { figures } = history.value;
  const text = texts.overview.history;
  const minutes = figures.clients.filter((value) => value !== null).length;
  return (
    <section class="card panel" aria-labelledby="history">
      <div class="panel-head">
        <h2 id="history">{text.title}</h2>
      </div>
      {minutes === 0 ? (
        <p class="empty">{text.none}</p>
      ) : (
        <div class="charts">
          {chartsIn(text).map((chart) => (
            <DayChart key={chart.title} chart={chart} history={history.value!} />
          ))}
        </div>
      )}
    </section>
  );
}

function DayChart({ chart, history }: { chart: Chart; history: Figures }): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const columns = chart.curves.map(({ of }) => of(history.figures));
  const data = dataOf(history, columns);
  const newest = useRef(data);
  newest.current = data;
  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = makePlot(element, chart, newest.current);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    resized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(newest.current), [history]);
  const last = chart.curves
    .map(({ name }, at) => `${name} ${formatLast(columns[at]!, chart.format)}`)
    .join(", ");
  return (
    <figure class="day">
      <figcaption>
        {chart.title} <span class="muted">{last}</span>
      </figcaption>
      <div
        ref={holder}
        class="plot"
        role="img"
        aria-label={texts.overview.history.chart(chart.title, last)}
      />
    </figure>
  );
}

function formatLast(column: Column, format: Chart["format"]): string {
  const last = column.at(-1);
  return last === null || last === undefined ? "–" : format(last);
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: clientHeight };
}

function dataOf({ from, everyMs: step }: Figures, columns: readonly Column[]): uPlot.AlignedData {
  const times = columns[0]!.map((_, at) => (from + at * step) / 1000);
  return [times, ...columns.map((column) => [...column])];
}

/** Labels without those that rounding made equal to the one before. */
function eachOnce(labels: readonly string[]): string[] {
  return labels.map((label, at) => (label === labels[at - 1] ? "" : label));
}

function makePlot(element: HTMLElement, { curves, format, steps }: Chart, data: uPlot.AlignedData): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const colours = [colour("--accent"), curves[1]?.isBad ? colour("--bad") : colour("--good")];
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  return new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          space: 60,
          values: (_plot, at) =>
            at.map((seconds) => {
              const date = new Date(seconds * 1000);
              return `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
            }),
        },
        {
          ...axis,
          size: 72,
          ...(steps && { incrs: steps }),
          values: (_plot, at) => eachOnce(at.map(format)),
        },
      ],
      series: [{}, ...curves.map((_, at) => ({ stroke: colours[at]!, width: 1.5, points: { show: false } }))],
    },
    data,
    element,
  );
}
