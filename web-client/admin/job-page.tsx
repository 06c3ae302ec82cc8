import type { JSX } from "preact";
import type { FailureGroup, FailureGroups } from "../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { JobCostInfo } from "../../shared/wire/rest/tasks.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import { formatBytes, formatCount, formatDuration, formatRate, formatShare, plural } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { failureKinds } from "./failures.tsx";
import { Actions, ProgressBar } from "./job-row.tsx";
import { jobStateOf } from "./job-state.ts";
import { Log, type LogLine } from "./log.tsx";
import { hashOf } from "./place.ts";
import { Priority } from "./priority.tsx";
import { useReading } from "./reading.ts";
import { Results } from "./results.tsx";
import { act } from "./state.ts";
import { Tile } from "./tiles.tsx";
import { WhyIdle } from "./why-idle.tsx";

/** Slowest tasks that the page shows; the server tells more. */
const slowestShown = 10;

/** One job, at an address of its own. */
export function JobPage({ id }: { id: string }): JSX.Element {
  const path = `api/jobs/${id}`;
  const { value: job, error, again } = useReading<JobInfo>(path, 2_000);
  const cost = useReading<JobCostInfo>(`${path}/cost`, 5_000).value;
  if (!job)
    return error ? (
      <section class="card panel">
        <p class="empty">
          {shownText(error.message)} {error.remedy}
        </p>
      </section>
    ) : (
      <p class="muted">Asking the server…</p>
    );
  return (
    <>
      <Head job={job} />
      {job.endedAt === null && job.counts.running === 0 && (
        <WhyIdle path={`${path}/why`} heading="Nothing of this job is computed at present" />
      )}
      <Figures job={job} cost={cost} />
      {job.counts.failed > 0 && <FailedTasks job={job} onRetried={again} />}
      <Results job={job} />
      <SlowestTasks job={id} cost={cost} />
      <JobLog job={id} />
    </>
  );
}

function Head({ job }: { job: JobInfo }): JSX.Element {
  const { label, tone } = jobStateOf(job);
  const { counts } = job;
  return (
    <section class="card panel" aria-labelledby="job-name">
      <div class="panel-head">
        <h2 id="job-name" class="long-name">
          {shownName(job.name)}
        </h2>
        <span class={`pill ${tone}`}>{label}</span>
      </div>
      <p class="muted long-name">
        {shownName(job.customer)}
        {job.group !== undefined && ` · ${shownName(job.group)}`} · <code>{job.id}</code>
      </p>
      <div class="progress">
        <ProgressBar job={job} />
        <p class="muted">
          {formatCount(counts.done)} done, {formatCount(counts.running)} running, {formatCount(counts.queued)}{" "}
          waiting, {formatCount(counts.provisional)} provisional, {formatCount(counts.failed)} failed,{" "}
          {formatCount(counts.cancelled)} cancelled of {formatCount(counts.total)}
        </p>
      </div>
      <div class="actions job-actions">
        <label class="muted">
          Priority <Priority job={job} />
        </label>
        <Actions job={job} />
      </div>
    </section>
  );
}

function Figures({ job, cost }: { job: JobInfo; cost: JobCostInfo | undefined }): JSX.Element {
  const hasEnded = job.endedAt !== null;
  const statement = statementText(job);
  return (
    <>
      <dl class="tiles">
        <Tile label="Done" value={formatShare(job.fraction)}>
          {job.endedAt !== null
            ? `ended ${new Date(job.endedAt).toLocaleString()}`
            : `made ${new Date(job.createdAt).toLocaleString()}`}
        </Tile>
        <Tile label="Rate" value={hasEnded ? "–" : formatRate(job.rate)}>
          over the last minute
        </Tile>
        <Tile
          label="Left"
          value={hasEnded || job.estimatedMs === null ? "–" : formatDuration(job.estimatedMs)}
        >
          {rangeText(job)}
        </Tile>
        <Tile label="Cost so far" value={cost ? cpuHours(cost.computedMs) : "–"}>
          {cost ? `${plural(cost.attempts, "run")}, failed and repeated ones included` : "asking"}
        </Tile>
        <Tile label="Stored" value={formatBytes(job.inputBytes + job.outputBytes)}>
          {formatBytes(job.inputBytes)} of inputs, besides blobs
        </Tile>
      </dl>
      <section class="card panel" aria-labelledby="trust">
        <h2 id="trust">Can the results be trusted?</h2>
        <p>{trustText(job, statement)}</p>
      </section>
    </>
  );
}

function rangeText({ endedAt, estimatedRangeMs, paused, rate }: JobInfo): string {
  if (endedAt !== null) return "the job has ended";
  if (paused) return "paused";
  if (!estimatedRangeMs) return rate > 0 ? "too early for a range" : "nothing ended in the last minute";
  const [earliest, latest] = estimatedRangeMs;
  return latest === null
    ? `at least ${formatDuration(earliest)}`
    : `${formatDuration(earliest)} to ${formatDuration(latest)}`;
}

/** "12 CPU s", "3.4 CPU h". */
function cpuHours(ms: number): string {
  const hours = ms / 3.6e6;
  if (hours < 0.1) return `${formatCount(Math.round(ms / 1000))} CPU s`;
  return `${formatCount(Number(hours.toPrecision(3)))} CPU h`;
}

function trustText({ verify, statement: { strangers } }: JobInfo, statement: string | undefined): string {
  const how =
    verify === "off"
      ? "Results of volunteers are taken as they come."
      : verify === "audit"
        ? "Some results of volunteers are computed again by trusted clients."
        : verify === "trusted"
          ? "Only trusted clients compute this job."
          : `Results of volunteers count once ${verify.quorum} groups of them agree.`;
  const sofar =
    statement !== undefined
      ? `${statement[0]!.toUpperCase()}${statement.slice(1)}.`
      : strangers === 0
        ? "So far every accepted result is of a trusted client, or there is none yet."
        : "";
  return `${how} ${sofar}`;
}

function FailedTasks({ job, onRetried }: { job: JobInfo; onRetried: () => void }): JSX.Element {
  const { value: found, again } = useReading<FailureGroups>(`api/jobs/${job.id}/failures`, 5_000);
  const retry = async (body: object): Promise<void> => {
    await act("POST", `api/jobs/${job.id}/requeue-failed`, body);
    again();
    onRetried();
  };
  const isWhole = job.state === "open" || job.state === "closed" || job.state === "finished";
  const reason = isWhole ? undefined : job.failures.at(-1);
  return (
    <section class="card panel" aria-labelledby="failed">
      <div class="panel-head">
        <h2 id="failed">{plural(job.counts.failed, "failed task")}</h2>
      </div>
      {reason && (
        <p class="message">
          <bdi>{shownText(reason.message)}</bdi>
        </p>
      )}
      {!found ? (
        <p class="muted">Asking the server…</p>
      ) : (
        <ul class="groups">
          {found.groups.map((group) => (
            <Group
              key={`${group.kind} ${group.pattern}`}
              job={job}
              group={group}
              retry={
                isWhole
                  ? () => void retry({ group: { kind: group.kind, pattern: group.pattern } })
                  : undefined
              }
            />
          ))}
        </ul>
      )}
      {found && found.ungrouped > 0 && (
        <p class="muted">{formatCount(found.ungrouped)} more, with other messages.</p>
      )}
      {found && found.examined < found.failed && isWhole && (
        <p class="muted">
          The first {formatCount(found.examined)} of {formatCount(found.failed)} failures are grouped.
        </p>
      )}
    </section>
  );
}

interface GroupProps {
  readonly job: JobInfo;
  readonly group: FailureGroup;
  readonly retry: (() => void) | undefined;
}

function Group({ job, group, retry }: GroupProps): JSX.Element {
  const { kind, message, stack, count, indexes, clients } = group;
  return (
    <li>
      <div class="panel-head">
        <p>
          <span class="strong">{plural(count, "task")}</span> <span class="muted">{failureKinds[kind]}</span>
        </p>
        {retry && (
          <DangerButton
            label="Retry these"
            title={`Retry ${plural(count, "task")}?`}
            text="The tasks that failed with this message are computed again, with all their attempts."
            verb="Retry them"
            yes={retry}
          />
        )}
      </div>
      <p class="message">
        <bdi>{shownText(message)}</bdi>
      </p>
      <p class="muted">
        Tasks{" "}
        {indexes.map((index, at) => (
          <>
            {at > 0 && ", "}
            <a key={index} href={hashOf({ at: "task", job: job.id, index })}>
              {formatCount(index)}
            </a>
          </>
        ))}
        {count > indexes.length && ` and ${formatCount(count - indexes.length)} more`}
      </p>
      {clients.length > 0 && (
        <p class="muted">
          Last on{" "}
          {clients.map(({ client, failures }, at) => (
            <>
              {at > 0 && ", "}
              <code key={client}>{client}</code> ({formatCount(failures)})
            </>
          ))}
        </p>
      )}
      {stack && (
        <details>
          <summary>Stack</summary>
          <pre>{shownText(stack)}</pre>
        </details>
      )}
    </li>
  );
}

function SlowestTasks({ job, cost }: { job: string; cost: JobCostInfo | undefined }): JSX.Element | null {
  if (!cost || cost.slowest.length === 0) return null;
  return (
    <section class="card panel" aria-labelledby="slowest">
      <h2 id="slowest">Slowest tasks</h2>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col" class="number">
              Time
            </th>
            <th scope="col">Client</th>
          </tr>
        </thead>
        <tbody>
          {cost.slowest.slice(0, slowestShown).map(({ index, elapsedMs, client }) => (
            <tr key={index}>
              <th scope="row" data-label="Task">
                <a href={hashOf({ at: "task", job, index })}>{formatCount(index)}</a>
              </th>
              <td data-label="Time" class="number">
                {shortTime(elapsedMs)}
              </td>
              <td data-label="Client" class="long-name">
                {shownName(client)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Times below 10 s in milliseconds. */
export function shortTime(ms: number): string {
  return ms < 10_000 ? `${formatCount(Math.round(ms))} ms` : formatDuration(ms);
}

function JobLog({ job }: { job: string }): JSX.Element | null {
  const { value: lines } = useReading<LogLine[]>(`api/jobs/${job}/logs`, 3_000);
  return lines && lines.length > 0 ? <Log lines={lines} job={job} /> : null;
}
