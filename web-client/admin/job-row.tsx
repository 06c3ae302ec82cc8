import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { statementText } from "../../shared/wire/statement-text.ts";
import { formatCount, formatDuration, formatRate, formatShare, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { Failures } from "./failures.tsx";
import { jobStateOf } from "./job-state.ts";
import { hashOf } from "./place.ts";
import { Priority } from "./priority.tsx";
import { act } from "./state.ts";

/** Row of a job, with its failures below when the person opened them. */
export function JobRow({ job }: { job: JobInfo }): JSX.Element {
  const open = useSignal(false);
  const { label, tone } = jobStateOf(job);
  const { counts } = job;
  const statement = statementText(job);
  const failuresId = `failures-${job.id}`;
  return (
    <>
      <tr>
        <th scope="row" data-label="Job">
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
        <td data-label="Progress" class="progress">
          <ProgressBar job={job} />
          <span class="sub">
            <span class="muted">
              {formatCount(counts.done)} of {formatCount(counts.total)} done
            </span>
            {counts.provisional > 0 && (
              <span class="muted">{formatCount(counts.provisional)} provisional</span>
            )}
            {counts.failed > 0 && (
              <button
                type="button"
                class="link bad"
                aria-expanded={open.value}
                aria-controls={failuresId}
                onClick={() => (open.value = !open.value)}
              >
                {formatCount(counts.failed)} failed
              </button>
            )}
          </span>
          {statement !== undefined && <span class="sub muted">{statement}</span>}
        </td>
        <td data-label="Rate" class="number">
          {job.endedAt === null ? formatRate(job.rate) : "–"}
        </td>
        <td data-label="Left" class="number">
          {job.estimatedMs === null || job.endedAt !== null ? "–" : formatDuration(job.estimatedMs)}
        </td>
        <td data-label="Priority" class="number">
          <Priority job={job} />
        </td>
        <td class="actions">
          <Actions job={job} />
        </td>
      </tr>
      {open.value && counts.failed > 0 && (
        <tr class="more" id={failuresId}>
          <td colSpan={7}>
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
  const share = (count: number): string => `${counts.total === 0 ? 0 : (count / counts.total) * 100}%`;
  return (
    <div
      class="stack"
      role="progressbar"
      aria-label={`${shownName(job.name)}: ${formatShare(job.fraction)} of the work over`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(job.fraction * 100)}
      title={`${formatCount(counts.done)} done, ${formatCount(counts.provisional)} provisional, ${formatCount(counts.failed)} failed, ${formatCount(counts.cancelled)} cancelled, ${formatCount(counts.running)} running, ${formatCount(counts.queued)} waiting`}
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
  return (
    <div class="action-list">
      {active && (
        <button type="button" class="button small" onClick={() => post(job.paused ? "resume" : "pause")}>
          {job.paused ? "Resume" : "Pause"}
        </button>
      )}
      {job.counts.failed > 0 && job.state !== "cancelled" && (
        <DangerButton
          label="Retry"
          title={`Retry ${plural(job.counts.failed, "failed task")} of “${shownName(job.name)}”?`}
          text="They are computed again, with all their attempts; what they failed with is forgotten. Outputs stay."
          verb="Retry them"
          yes={() => post("requeue-failed")}
        />
      )}
      {active ? (
        <DangerButton
          label="Cancel"
          title={`Cancel “${shownName(job.name)}”?`}
          text={`${plural(job.counts.queued + job.counts.running + job.counts.provisional, "task")} will not be computed; clients stop those that run. Results so far stay.`}
          verb="Cancel the job"
          yes={() => post("cancel")}
        />
      ) : (
        <DangerButton
          label="Delete"
          title={`Delete “${shownName(job.name)}”?`}
          text={`The job and ${plural(job.counts.done, "result")} are forgotten for good.`}
          verb="Delete the job"
          yes={() => void act("DELETE", path)}
        />
      )}
    </div>
  );
}
