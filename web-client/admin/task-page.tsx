import type { JSX } from "preact";
import type { TaskInfo } from "../../shared/wire/rest/tasks.ts";
import { formatBytes, formatCount, formatShare, plural } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { shortTime } from "./job-page.tsx";
import { failureKinds } from "./failures.tsx";
import { Log } from "./log.tsx";
import { hashOf } from "./place.ts";
import { useReading } from "./reading.ts";
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
          <h2 id="task">Task {formatCount(index)}</h2>
          {task && <span class={`pill ${tones[task.state]}`}>{task.state}</span>}
        </div>
        <p>
          <a href={hashOf({ at: "job", job })}>
            Job <code>{job}</code>
          </a>
        </p>
        {error && (
          <p class="bad">
            {shownText(error.message)} {error.remedy}
          </p>
        )}
        {task?.failure && (
          <div class="failures">
            <p class="muted">
              {failureKinds[task.failure.kind]} · {plural(task.failure.attempts, "attempt")}
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
  return (
    <dl class="tiles">
      {(["input", "output"] as const).map((value) => {
        const size = task[value];
        return (
          <Tile
            key={value}
            label={value === "input" ? "Input" : "Output"}
            value={size ? formatBytes(size.bytes) : "–"}
          >
            {size === null
              ? "none"
              : size.references > 0
                ? `and ${plural(size.references, "blob")} of ${formatBytes(size.referencedBytes)}`
                : size.blob !== undefined
                  ? "in a blob"
                  : "inline"}
          </Tile>
        );
      })}
    </dl>
  );
}

function Runs({ task: { runs, leases } }: { task: TaskInfo }): JSX.Element {
  return (
    <section class="card panel" aria-labelledby="runs">
      <h2 id="runs">Attempts</h2>
      {runs.length + leases.length === 0 ? (
        <p class="muted">
          None that this server remembers: it keeps the latest of all jobs, since its start.
        </p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Attempt</th>
              <th scope="col">Client</th>
              <th scope="col" class="number">
                Time
              </th>
              <th scope="col">Outcome</th>
            </tr>
          </thead>
          <tbody>
            {runs.map(({ attempt, name, client, endedAt, elapsedMs, failure }) => (
              <tr key={`${client} ${attempt}`}>
                <th scope="row" data-label="Attempt">
                  {attempt}
                </th>
                <td data-label="Client" class="long-name">
                  {shownName(name)} <code>{client}</code>
                </td>
                <td data-label="Time" class="number">
                  {shortTime(elapsedMs)}
                  <span class="muted sub">{new Date(endedAt).toLocaleTimeString()}</span>
                </td>
                <td data-label="Outcome" class="wide">
                  {failure ? <bdi class="bad long-name">{shownText(failure.message)}</bdi> : "a result"}
                </td>
              </tr>
            ))}
            {leases.map(({ attempt, name, client, sinceMs, progress }) => (
              <tr key={`${client} ${attempt}`}>
                <th scope="row" data-label="Attempt">
                  {attempt}
                </th>
                <td data-label="Client" class="long-name">
                  {shownName(name)} <code>{client}</code>
                </td>
                <td data-label="Time" class="number">
                  {shortTime(sinceMs)}
                </td>
                <td data-label="Outcome">{progress > 0 ? `running, ${formatShare(progress)}` : "running"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
