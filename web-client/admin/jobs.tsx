import { untracked, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { formatCount } from "../ui/format.ts";
import { ask, asked, isAsked, question, refreshQuietly, ticks, turnOn } from "./job-pages.ts";
import { JobRow } from "./job-row.tsx";
import { cameFromHere } from "./navigation.ts";
import type { JobQuestion } from "./place.ts";
import { snapshot } from "./state.ts";
import { SearchField } from "./table-filter.tsx";
import { texts } from "./texts/current.ts";
import { TickedJobs } from "./ticked-jobs.tsx";
import { TickPageBox } from "./ticks.tsx";

interface JobsProps {
  /** The jobs that the server pushes: those that run or fail, then the others, up to a page. */
  readonly jobs: readonly JobInfo[];
  readonly count: number;
}

/** The jobs that the server pushes, until the person asks for others. */
export function Jobs({ jobs, count }: JobsProps): JSX.Element {
  // A page that the person asked for is renewed with each push.
  useSignalEffect(() => {
    if (snapshot.value) untracked(refreshQuietly);
  });
  const shown = isAsked() ? asked.value?.jobs : inSteadyOrder(jobs);
  const { jobs: text } = texts;
  return (
    <section class="card panel" aria-labelledby="jobs">
      <div class="panel-head">
        <h2 id="jobs">{count === 0 ? text.title : texts.counts.jobs(count)}</h2>
        {count > 0 && <Question />}
      </div>
      {ticks.ids.value.size > 0 && <TickedJobs />}
      {count === 0 ? (
        <NoJobs />
      ) : !shown ? (
        <p class="empty">{texts.frame.asking}</p>
      ) : shown.length === 0 ? (
        <p class="empty">{text.noMatch}</p>
      ) : (
        <JobTable jobs={shown} />
      )}
      <Pages pushed={jobs.length} count={count} />
    </section>
  );
}

/** Jobs that moved in the last minute or fail, then waiting ones, then ended ones, so that rows stay in place under a pointer. */
function inSteadyOrder(jobs: readonly JobInfo[]): JobInfo[] {
  const rank = ({ counts, rate, endedAt }: JobInfo): number =>
    endedAt !== null ? 2 : counts.running > 0 || rate > 0 || counts.failed > 0 ? 0 : 1;
  return jobs.toSorted((a, b) => rank(a) - rank(b) || b.createdAt - a.createdAt);
}

function Question(): JSX.Element {
  const { jobs: text } = texts;
  return (
    <div class="question">
      <select
        aria-label={text.which}
        value={question.value.state}
        onChange={({ currentTarget }) => ask({ state: currentTarget.value as JobQuestion["state"] })}
      >
        {Object.entries(text.states).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select
        aria-label={text.order}
        value={question.value.sort}
        onChange={({ currentTarget }) => ask({ sort: currentTarget.value as JobQuestion["sort"] })}
      >
        {Object.entries(text.sorts).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <SearchField text={question.value.search} label={text.search} onText={(search) => ask({ search })} />
    </div>
  );
}

function JobTable({ jobs }: { jobs: readonly JobInfo[] }): JSX.Element {
  const { columns: text } = texts.jobs;
  return (
    <table class="table jobs">
      <thead>
        <tr>
          <th scope="col">
            <TickPageBox ticks={ticks} rows={jobs} />
          </th>
          <th scope="col">{text.job}</th>
          <th scope="col">{text.state}</th>
          <th scope="col">{text.progress}</th>
          <th scope="col" class="number">
            {text.rate}
          </th>
          <th scope="col" class="number">
            {text.left}
          </th>
          <th scope="col" class="number">
            {text.priority}
          </th>
          <th scope="col">
            <span class="visually-hidden">{texts.frame.actions}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <JobRow key={job.id} job={job} />
        ))}
      </tbody>
    </table>
  );
}

/** Turns pages; the jobs that the server pushes make one page. */
function Pages({ pushed, count }: { pushed: number; count: number }): JSX.Element | null {
  const { jobs: text } = texts;
  if (!isAsked()) {
    if (pushed >= count) return null;
    return (
      <div class="pages">
        <p class="muted">{text.pushed(formatCount(pushed), texts.counts.jobs(count))}</p>
        <button type="button" class="button small" onClick={() => ask({ state: "all" })}>
          {text.allNewest}
        </button>
      </div>
    );
  }
  const next = asked.value?.next;
  const { page, cursor } = question.value;
  if (cursor === undefined && next === undefined) return null;
  return (
    <div class="pages">
      <p class="muted" aria-live="polite">
        {text.page(formatCount(page))}
      </p>
      <button type="button" class="button small" disabled={cursor === undefined} onClick={() => ask({})}>
        {text.first}
      </button>
      <button
        type="button"
        class="button small"
        disabled={cursor === undefined}
        onClick={() => (cameFromHere() ? history.back() : ask({}))}
      >
        {text.back}
      </button>
      <button
        type="button"
        class="button small"
        disabled={next === undefined}
        onClick={() => next !== undefined && turnOn(next)}
      >
        {text.next}
      </button>
    </div>
  );
}

function NoJobs(): JSX.Element {
  return (
    <div class="empty">
      <p>{texts.jobs.none}</p>
      <pre>
        {`const hands = await connect("${new URL(".", location.href).href}");
const squares = await hands.map((x) => x * x, [1, 2, 3]);`}
      </pre>
    </div>
  );
}
