import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import { formatCount, formatDuration, formatRate, formatShare } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { Failures } from "./failures.tsx";
import { ticks } from "./job-pages.ts";
import { jobStateOf } from "./job-state.ts";
import { hashOf } from "./place.ts";
import { Priority } from "./priority.tsx";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";
import { TickBox } from "./ticks.tsx";

/** Row of a job, with its failures below when the person opened them. */
export function JobRow({ job }: { job: JobInfo }): JSX.Element {
  const open = useSignal(false);
  const { label, tone } = jobStateOf(job);
  const { counts } = job;
  const statement = statementText(job);
  const { jobs: text } = texts;
  const failuresId = `failures-${job.id}`;
  return (
    <>
      <tr>
        <td data-label={texts.ticks.column}>
          <TickBox ticks={ticks} id={job.id} name={shownName(job.name)} />
        </td>
        <th scope="row" data-label={text.columns.job}>
          <a class="strong" href={hashOf({ at: "job", job: job.id })}>
            {shownName(job.name)}
          </a>
          <span class="muted sub">
            {shownName(job.customer)} · {job.group !== undefined && `${shownName(job.group)} · `}
            <code>{job.id}</code>
          </span>
        </th>
        <td>
          <span class={`pill ${tone}`}>{label}</span>
        </td>
        <td data-label={text.columns.progress} class="progress">
          <ProgressBar job={job} />
          <span class="sub">
            <span class="muted">{text.done(formatCount(counts.done), formatCount(counts.total))}</span>
            {counts.provisional > 0 && (
              <span class="muted">{text.provisional(formatCount(counts.provisional))}</span>
            )}
            {counts.failed > 0 && (
              <button
                type="button"
                class="link bad"
                aria-expanded={open.value}
                aria-controls={failuresId}
                onClick={() => (open.value = !open.value)}
              >
                {text.failed(formatCount(counts.failed))}
              </button>
            )}
          </span>
          {statement !== undefined && (
            <span class="sub muted" lang="en">
              {statement}
            </span>
          )}
        </td>
        <td data-label={text.columns.rate} class="number">
          {job.endedAt === null ? formatRate(job.rate) : "–"}
        </td>
        <td data-label={text.columns.left} class="number">
          {job.estimatedMs === null || job.endedAt !== null ? "–" : formatDuration(job.estimatedMs)}
        </td>
        <td data-label={text.columns.priority} class="number">
          <Priority job={job} />
        </td>
        <td class="actions">
          <Actions job={job} />
        </td>
      </tr>
      {open.value && counts.failed > 0 && (
        <tr class="more" id={failuresId}>
          <td colSpan={8}>
            <Failures job={job} />
          </td>
        </tr>
      )}
    </>
  );
}

/** The states of a job's tasks. */
export function ProgressBar({ job }: { job: JobInfo }): JSX.Element {
  const { counts } = job;
  const { jobs: text } = texts;
  const share = (count: number): string => `${counts.total === 0 ? 0 : (count / counts.total) * 100}%`;
  return (
    <div
      class="stack"
      role="progressbar"
      aria-label={text.bar(shownName(job.name), formatShare(job.fraction))}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(job.fraction * 100)}
      title={text.barTitle(
        formatCount(counts.done),
        formatCount(counts.provisional),
        formatCount(counts.failed),
        formatCount(counts.cancelled),
        formatCount(counts.running),
        formatCount(counts.queued),
      )}
    >
      <span class="done" style={{ width: share(counts.done) }} />
      <span class="provisional" style={{ width: share(counts.provisional) }} />
      <span class="failed" style={{ width: share(counts.failed) }} />
      <span class="cancelled" style={{ width: share(counts.cancelled) }} />
      <span class="running" style={{ width: share(counts.running) }} />
    </div>
  );
}

/** What an administrator may do with a job. */
export function Actions({ job }: { job: JobInfo }): JSX.Element {
  const path = `api/jobs/${job.id}`;
  const post = (verb: string): void => void act("POST", `${path}/${verb}`);
  const active = job.endedAt === null;
  const { actions: text } = texts.jobs;
  const { counts } = texts;
  return (
    <div class="action-list">
      {active && (
        <button type="button" class="button small" onClick={() => post(job.paused ? "resume" : "pause")}>
          {job.paused ? text.resume : text.pause}
        </button>
      )}
      {job.counts.failed > 0 && job.state !== "cancelled" && (
        <DangerButton
          label={text.retry}
          title={text.retryTitle(counts.failedTasks(job.counts.failed), shownName(job.name))}
          text={text.retryText}
          verb={text.retryVerb}
          yes={() => post("requeue-failed")}
        />
      )}
      {active ? (
        <DangerButton
          label={text.cancel}
          title={text.cancelTitle(shownName(job.name))}
          text={text.cancelText(
            counts.tasks(job.counts.queued + job.counts.running + job.counts.provisional),
          )}
          verb={text.cancelVerb}
          yes={() => post("cancel")}
        />
      ) : (
        <DangerButton
          label={text.delete}
          title={text.deleteTitle(shownName(job.name))}
          text={text.deleteText(formatCount(job.counts.done), job.counts.done === 1)}
          verb={text.deleteVerb}
          yes={() => void act("DELETE", path)}
        />
      )}
    </div>
  );
}
