import type { JSX } from "preact";
import type { FailureGroup, FailureGroups } from "../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { JobCostInfo } from "../../shared/wire/rest/tasks.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import {
  formatBytes,
  formatCount,
  formatDate,
  formatDuration,
  formatPrecise,
  formatRate,
  formatShare,
  shortHash,
} from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { Actions, ProgressBar } from "./job-row.tsx";
import { jobStateOf } from "./job-state.ts";
import { Log, type LogLine } from "./log.tsx";
import { hashOf, hashOfClient } from "./place.ts";
import { Priority } from "./priority.tsx";
import { useReading } from "./reading.ts";
import { Results } from "./results.tsx";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";
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
        <p class="empty" lang="en">
          {shownText(error.message)} {error.remedy}
        </p>
      </section>
    ) : (
      <p class="muted">{texts.frame.asking}</p>
    );
  return (
    <>
      <Head job={job} />
      {job.endedAt === null && job.counts.running === 0 && (
        <WhyIdle path={`${path}/why`} heading={texts.job.nothingComputed} />
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
  const { counts, kernel } = job;
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
        {job.group !== undefined && ` · ${shownName(job.group)}`} · <code>{job.id}</code> · {texts.job.kernel}{" "}
        <code title={kernel.sha256}>{shortHash(kernel.sha256)}</code>, {formatBytes(kernel.size)}
        {job.signature && texts.job.signedBy(shownName(job.signature.name))}
      </p>
      {job.description !== undefined && <p dir="auto">{shownText(job.description)}</p>}
      <div class="progress">
        <ProgressBar job={job} />
        <p class="muted">
          {texts.job.counts(
            formatCount(counts.done),
            formatCount(counts.running),
            formatCount(counts.queued),
            formatCount(counts.provisional),
            formatCount(counts.failed),
            formatCount(counts.cancelled),
            formatCount(counts.total),
          )}
        </p>
      </div>
      <div class="actions job-actions">
        <label class="muted">
          {texts.job.priority} <Priority job={job} />
        </label>
        <Actions job={job} />
      </div>
    </section>
  );
}

function Figures({ job, cost }: { job: JobInfo; cost: JobCostInfo | undefined }): JSX.Element {
  const hasEnded = job.endedAt !== null;
  const { figures: text, trust } = texts.job;
  return (
    <>
      <dl class="tiles">
        <Tile label={text.done} value={formatShare(job.fraction)}>
          {job.endedAt !== null ? text.ended(formatDate(job.endedAt)) : text.made(formatDate(job.createdAt))}
        </Tile>
        <Tile label={text.rate} value={hasEnded ? "–" : formatRate(job.rate)}>
          {text.lastMinute}
        </Tile>
        <Tile
          label={text.left}
          value={hasEnded || job.estimatedMs === null ? "–" : formatDuration(job.estimatedMs)}
        >
          {rangeText(job)}
        </Tile>
        <Tile label={text.cost} value={cost ? cpuHours(cost.computedMs) : "–"}>
          {cost ? text.runs(formatCount(cost.attempts), cost.attempts === 1) : text.asking}
        </Tile>
        <Tile label={text.stored} value={formatBytes(job.inputBytes + job.outputBytes)}>
          {text.inputs(formatBytes(job.inputBytes))}
        </Tile>
      </dl>
      <section class="card panel" aria-labelledby="trust">
        <h2 id="trust">{trust.title}</h2>
        <p>
          {howVerified(job)} <Statement job={job} />
        </p>
      </section>
    </>
  );
}

function rangeText({ endedAt, estimatedRangeMs, paused, rate }: JobInfo): string {
  const { range: text } = texts.job;
  if (endedAt !== null) return text.ended;
  if (paused) return text.paused;
  if (!estimatedRangeMs) return rate > 0 ? text.tooEarly : text.standsStill;
  const [earliest, latest] = estimatedRangeMs;
  return latest === null
    ? text.atLeast(formatDuration(earliest))
    : text.between(formatDuration(earliest), formatDuration(latest));
}

/** "12 CPU s", "3.4 CPU h". */
function cpuHours(ms: number): string {
  const { figures: text } = texts.job;
  const hours = ms / 3.6e6;
  if (hours < 0.1) return text.cpuSeconds(formatCount(Math.round(ms / 1000)));
  return text.cpuHours(formatPrecise(hours));
}

function howVerified({ verify }: JobInfo): string {
  const { trust } = texts.job;
  return typeof verify === "string" ? trust[verify] : trust.quorum(verify.quorum);
}

/** The job's statement of trust, a sentence of the server in English. */
function Statement({ job }: { job: JobInfo }): JSX.Element | null {
  const statement = statementText(job);
  if (statement !== undefined)
    return (
      <span lang="en">
        {statement[0]!.toUpperCase()}
        {statement.slice(1)}.
      </span>
    );
  // Results that are taken as they come are not counted.
  return job.verify === "off" ? null : <>{texts.job.trust.noStrangers}</>;
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
        <h2 id="failed">{texts.counts.failedTasks(job.counts.failed)}</h2>
      </div>
      {reason && (
        <p class="message">
          <bdi>{shownText(reason.message)}</bdi>
        </p>
      )}
      {!found ? (
        <p class="muted">{texts.frame.asking}</p>
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
        <p class="muted">{texts.job.failed.further(formatCount(found.ungrouped))}</p>
      )}
      {found && found.examined < found.failed && isWhole && (
        <p class="muted">
          {texts.job.failed.examined(formatCount(found.examined), formatCount(found.failed))}
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
  const { failed: text, failureKinds, failures } = texts.job;
  const tasks = texts.counts.tasks(count);
  return (
    <li>
      <div class="panel-head">
        <p>
          <span class="strong">{tasks}</span> <span class="muted">{failureKinds[kind]}</span>
        </p>
        {retry && (
          <DangerButton
            label={text.retry}
            title={text.retryTitle(tasks)}
            text={text.retryText}
            verb={text.retryVerb}
            yes={retry}
          />
        )}
      </div>
      <p class="message">
        <bdi>{shownText(message)}</bdi>
      </p>
      <p class="muted">
        {text.tasks}{" "}
        {indexes.map((index, at) => (
          <>
            {at > 0 && ", "}
            <a key={index} href={hashOf({ at: "task", job: job.id, index })}>
              {formatCount(index)}
            </a>
          </>
        ))}
        {count > indexes.length && text.andMore(formatCount(count - indexes.length))}
      </p>
      {clients.length > 0 && (
        <p class="muted">
          {text.lastOn}{" "}
          {clients.map(({ client, failures }, at) => (
            <>
              {at > 0 && ", "}
              <a key={client} href={hashOfClient(client)}>
                <code>{client}</code>
              </a>{" "}
              ({formatCount(failures)})
            </>
          ))}
        </p>
      )}
      {stack && (
        <details>
          <summary>{failures.stack}</summary>
          <pre>{shownText(stack)}</pre>
        </details>
      )}
    </li>
  );
}

function SlowestTasks({ job, cost }: { job: string; cost: JobCostInfo | undefined }): JSX.Element | null {
  if (!cost || cost.slowest.length === 0) return null;
  const { slowest: text } = texts.job;
  return (
    <section class="card panel" aria-labelledby="slowest">
      <h2 id="slowest">{text.title}</h2>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{text.task}</th>
            <th scope="col" class="number">
              {text.time}
            </th>
            <th scope="col">{text.client}</th>
          </tr>
        </thead>
        <tbody>
          {cost.slowest.slice(0, slowestShown).map(({ index, elapsedMs, client }) => (
            <tr key={index}>
              <th scope="row" data-label={text.task}>
                <a href={hashOf({ at: "task", job, index })}>{formatCount(index)}</a>
              </th>
              <td data-label={text.time} class="number">
                {shortTime(elapsedMs)}
              </td>
              <td data-label={text.client} class="long-name">
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
