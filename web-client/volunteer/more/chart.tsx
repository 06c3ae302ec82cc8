import type { JSX } from "preact";
import { formatCount, formatDuration } from "../../ui/format.ts";
import { page } from "../texts/current.ts";
import { daysKept, lastDays, type History } from "./history.ts";
import { more } from "./texts.ts";

const width = 300;
const height = 48;

/** Tasks and processor time today and in all, and a bar for each of the last days. */
export function HelpSoFar({ history, isKept }: { history: History; isKept: boolean }): JSX.Element {
  const texts = more.history;
  const days = lastDays(history, new Date());
  const today = days.at(-1)!.work;
  const most = Math.max(1, ...days.map(({ work }) => work.busyMs));
  const step = width / daysKept;
  const tasks = (count: number): string => (count === 1 ? texts.oneTask : texts.tasks(formatCount(count)));
  const shown = new Intl.DateTimeFormat(page.language, { day: "numeric", month: "short" });
  return (
    <section class="card more-card" aria-labelledby="help">
      <h2 id="help">{texts.title}</h2>
      <dl class="figures">
        {(
          [
            [texts.today, today],
            [texts.all, history.all],
          ] as const
        ).map(([label, work]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{tasks(work.tasks)}</dd>
            <dd class="muted small">{texts.cpu(formatDuration(work.busyMs))}</dd>
          </div>
        ))}
      </dl>
      <svg
        class="chart"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={texts.chart(daysKept)}
      >
        {days.map(({ day, time, work }, i) => {
          const tall = work.busyMs > 0 ? Math.max(2, (work.busyMs / most) * height) : 1;
          return (
            <rect
              key={day}
              class={work.busyMs > 0 ? "day" : "day none"}
              x={i * step + 1}
              y={height - tall}
              width={step - 2}
              height={tall}
            >
              <title>{texts.day(shown.format(time), formatDuration(work.busyMs), tasks(work.tasks))}</title>
            </rect>
          );
        })}
      </svg>
      <p class="muted small">{isKept ? texts.chart(daysKept) : texts.notKept}</p>
    </section>
  );
}
