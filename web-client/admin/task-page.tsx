import type { JSX } from "preact";
import type { TaskInfo } from "../../shared/wire/rest/tasks.ts";
import { formatBytes, formatCount, formatShare, formatTime } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { shortTime } from "./job-page.tsx";
import { Log } from "./log.tsx";
import { hashOf } from "./place.ts";
import { useReading } from "./reading.ts";
import { texts } from "./texts/current.ts";
import { Tile } from "./tiles.tsx";

const tones: Record<TaskInfo["state"], string> = {
  queued: "quiet",
  running: "busy",
  provisional: "busy",
  done: "good",
  failed: "bad",
  cancelled: "quiet",
};

/** One task: its runs, clients, times, sizes and log. */
export function TaskPage({ job, index }: { job: string; index: number }): JSX.Element {
  const { value: task, error } = useReading<TaskInfo>(`api/jobs/${job}/tasks/${index}`, 2_000);
  return (
    <>
      <section class="card panel" aria-labelledby="task">
        <div class="panel-head">
          <h2 id="task">{texts.task.title(formatCount(index))}</h2>
          {task && <span class={`pill ${tones[task.state]}`}>{texts.task.states[task.state]}</span>}
        </div>
        <p>
          <a href={hashOf({ at: "job", job })}>
            {texts.task.job} <code>{job}</code>
          </a>
        </p>
        {error && (
          <p class="bad" lang="en">
            {shownText(error.message)} {error.remedy}
          </p>
        )}
        {task?.failure && (
          <div class="failures">
            <p class="muted">
              {texts.job.failureKinds[task.failure.kind]} · {texts.counts.attempts(task.failure.attempts)}
            </p>
            <p class="message">
              <bdi>{shownText(task.failure.message)}</bdi>
            </p>
            {task.failure.stack && <pre>{shownText(task.failure.stack)}</pre>}
          </div>
        )}
      </section>
      {task && <Sizes task={task} />}
      {task && <Runs task={task} />}
      {task && task.log.length > 0 && <Log lines={task.log.map((line) => ({ ...line, index }))} job={job} />}
    </>
  );
}

function Sizes({ task }: { task: TaskInfo }): JSX.Element {
  const { task: text, counts } = texts;
  return (
    <dl class="tiles">
      {(["input", "output"] as const).map((value) => {
        const size = task[value];
        return (
          <Tile key={value} label={text[value]} value={size ? formatBytes(size.bytes) : "–"}>
            {size === null
              ? text.none
              : size.references > 0
                ? text.references(counts.blobs(size.references), formatBytes(size.referencedBytes))
                : size.blob !== undefined
                  ? text.inBlob
                  : text.inline}
          </Tile>
        );
      })}
    </dl>
  );
}

function Runs({ task: { runs, leases } }: { task: TaskInfo }): JSX.Element {
  const { task: text } = texts;
  return (
    <section class="card panel" aria-labelledby="runs">
      <h2 id="runs">{text.attempts}</h2>
      {runs.length + leases.length === 0 ? (
        <p class="muted">{text.noAttempts}</p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">{text.attempt}</th>
              <th scope="col">{text.client}</th>
              <th scope="col" class="number">
                {text.time}
              </th>
              <th scope="col">{text.outcome}</th>
            </tr>
          </thead>
          <tbody>
            {runs.map(({ attempt, name, client, endedAt, elapsedMs, failure }) => (
              <tr key={`${client} ${attempt}`}>
                <th scope="row" data-label={text.attempt}>
                  {attempt}
                </th>
                <td data-label={text.client} class="long-name">
                  {shownName(name)} <code>{client}</code>
                </td>
                <td data-label={text.time} class="number">
                  {shortTime(elapsedMs)}
                  <span class="muted sub">{formatTime(endedAt)}</span>
                </td>
                <td data-label={text.outcome} class="wide">
                  {failure ? <bdi class="bad long-name">{shownText(failure.message)}</bdi> : text.result}
                </td>
              </tr>
            ))}
            {leases.map(({ attempt, name, client, sinceMs, progress }) => (
              <tr key={`${client} ${attempt}`}>
                <th scope="row" data-label={text.attempt}>
                  {attempt}
                </th>
                <td data-label={text.client} class="long-name">
                  {shownName(name)} <code>{client}</code>
                </td>
                <td data-label={text.time} class="number">
                  {shortTime(sinceMs)}
                </td>
                <td data-label={text.outcome}>
                  {progress > 0 ? text.runningShare(formatShare(progress)) : text.running}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
