import { untracked, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { formatCount, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { ask, asked, isAsked, question, refreshQuietly, turnOn } from "./job-pages.ts";
import { JobRow } from "./job-row.tsx";
import { cameFromHere } from "./navigation.ts";
import type { JobQuestion } from "./place.ts";
import { act, snapshot } from "./state.ts";
import { SearchField } from "./table-filter.tsx";

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
  return (
    <section class="card panel" aria-labelledby="jobs">
      <div class="panel-head">
        <h2 id="jobs">{count === 0 ? "Jobs" : plural(count, "job")}</h2>
        {count > 0 && <Question />}
      </div>
      {count === 0 ? (
        <NoJobs />
      ) : !shown ? (
        <p class="empty">Asking the server…</p>
      ) : shown.length === 0 ? (
        <p class="empty">No job is like that.</p>
      ) : (
        <>
          <RetryShown jobs={shown} />
          <JobTable jobs={shown} />
        </>
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

const states: readonly (readonly [JobQuestion["state"], string])[] = [
  ["", "Running and failing first"],
  ["all", "All"],
  ["active", "Not ended"],
  ["running", "Running"],
  ["failing", "Failing or failed"],
  ["ended", "Ended"],
  ["finished", "Finished"],
  ["cancelled", "Cancelled"],
  ["quarantined", "Quarantined"],
  ["blocked", "Blocked"],
];

const sorts: readonly (readonly [JobQuestion["sort"], string])[] = [
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
  ["name", "By name"],
  ["customer", "By customer"],
  ["priority", "Highest priority first"],
  ["failed", "Most failures first"],
  ["ended", "Ended last, first"],
];

/** Tries the failed tasks of all shown jobs again. */
function RetryShown({ jobs }: { jobs: readonly JobInfo[] }): JSX.Element | null {
  const failing = jobs.filter(({ counts, state }) => counts.failed > 0 && state !== "cancelled");
  if (failing.length < 2) return null;
  const failed = failing.reduce((sum, { counts }) => sum + counts.failed, 0);
  const names = failing.slice(0, 5).map(({ name }) => `“${shownName(name)}”`);
  const more = failing.length > names.length ? ` and ${formatCount(failing.length - names.length)} more` : "";
  return (
    <div class="pages">
      <p class="muted">
        {formatCount(failing.length)} of these jobs have failed tasks, {formatCount(failed)} in all.
      </p>
      <DangerButton
        label="Retry all failed"
        title={`Retry ${plural(failed, "failed task")} of ${plural(failing.length, "job")}?`}
        text={`They are computed again, with all their attempts: ${names.join(", ")}${more}.`}
        verb="Retry them"
        yes={() => void act("POST", "api/requeue-failed", { jobs: failing.map(({ id }) => id) })}
      />
    </div>
  );
}

function Question(): JSX.Element {
  return (
    <div class="question">
      <select
        aria-label="Which jobs"
        value={question.value.state}
        onChange={({ currentTarget }) => ask({ state: currentTarget.value as JobQuestion["state"] })}
      >
        {states.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <select
        aria-label="In which order"
        value={question.value.sort}
        onChange={({ currentTarget }) => ask({ sort: currentTarget.value as JobQuestion["sort"] })}
      >
        {sorts.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <SearchField
        text={question.value.search}
        label="Search names and ids"
        onText={(search) => ask({ search })}
      />
    </div>
  );
}

function JobTable({ jobs }: { jobs: readonly JobInfo[] }): JSX.Element {
  return (
    <table class="table jobs">
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">State</th>
          <th scope="col">Progress</th>
          <th scope="col" class="number">
            Rate
          </th>
          <th scope="col" class="number">
            Left
          </th>
          <th scope="col" class="number">
            Priority
          </th>
          <th scope="col">
            <span class="visually-hidden">Actions</span>
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
  if (!isAsked()) {
    if (pushed >= count) return null;
    return (
      <div class="pages">
        <p class="muted">
          {formatCount(pushed)} of {plural(count, "job")}, those that run or fail among them.
        </p>
        <button type="button" class="button small" onClick={() => ask({ state: "all" })}>
          All, newest first
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
        Page {formatCount(page)}
      </p>
      <button type="button" class="button small" disabled={cursor === undefined} onClick={() => ask({})}>
        First
      </button>
      <button
        type="button"
        class="button small"
        disabled={cursor === undefined}
        onClick={() => (cameFromHere() ? history.back() : ask({}))}
      >
        Back
      </button>
      <button
        type="button"
        class="button small"
        disabled={next === undefined}
        onClick={() => next !== undefined && turnOn(next)}
      >
        Next
      </button>
    </div>
  );
}

function NoJobs(): JSX.Element {
  return (
    <div class="empty">
      <p>No jobs yet. Submit one from a script on any machine that has a customer's token:</p>
      <pre>
        {`const hands = await connect("${new URL(".", location.href).href}");
const squares = await hands.map((x) => x * x, [1, 2, 3]);`}
      </pre>
    </div>
  );
}
