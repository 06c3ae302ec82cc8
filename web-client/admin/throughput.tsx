import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatRate } from "../ui/format.ts";
import { texts } from "./texts/current.ts";

/** Results a second over the last five minutes. */
export function Throughput({ perSecond }: { perSecond: readonly number[] }): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const newest = useRef(perSecond);
  newest.current = perSecond;

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = makePlot(element, newest.current);
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
  useEffect(() => plot.current?.setData(dataOf(perSecond)), [perSecond]);

  const now = mean(perSecond.slice(-10));
  const most = Math.max(0, ...perSecond);
  const text = texts.overview.throughput;
  return (
    <section class="card panel chart" aria-labelledby="throughput">
      <div class="panel-head">
        <h2 id="throughput">{text.title}</h2>
        <span class="muted">{text.now(formatRate(now))}</span>
      </div>
      <div ref={holder} class="plot" role="img" aria-label={text.chart(formatRate(now), formatRate(most))} />
    </section>
  );
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: clientHeight };
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function dataOf(perSecond: readonly number[]): uPlot.AlignedData {
  return [perSecond.map((_, i) => i - perSecond.length + 1), [...perSecond]];
}

function makePlot(element: HTMLElement, perSecond: readonly number[]): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  return new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false },
        y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.15 : 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, incrs: [60], values: (_plot, at) => at.map(minutesAgo), size: 28 },
        { ...axis, size: 52, values: (_plot, at) => at.map((value) => formatRate(value).replace("/s", "")) },
      ],
      series: [
        {},
        { stroke: colour("--accent"), fill: `${colour("--accent")}22`, width: 2, points: { show: false } },
      ],
    },
    dataOf(perSecond),
    element,
  );
}

function minutesAgo(seconds: number): string {
  return seconds === 0 ? texts.overview.throughput.atPresent : `−${Math.round(-seconds / 60)} min`;
}
