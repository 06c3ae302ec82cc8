import type { JSX } from "preact";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { formatCount } from "../ui/format.ts";
import { shownText } from "../ui/shown-name.ts";
import { texts } from "./texts/current.ts";

/** The first failures of a job, each with its kernel's message. */
export function Failures({ job }: { job: JobInfo }): JSX.Element {
  const { failures, counts } = job;
  return (
    <div class="failures">
      <ul>
        {failures.map((failure) => (
          <Failure key={failure.index} failure={failure} />
        ))}
      </ul>
      {failures.length < counts.failed && (
        <p class="muted">
          {texts.job.failures.firstOf(formatCount(failures.length), formatCount(counts.failed))}
        </p>
      )}
    </div>
  );
}

function Failure({ failure }: { failure: TaskFailure }): JSX.Element {
  const { index, kind, message, stack, attempts, client } = failure;
  const { failures: text, failureKinds } = texts.job;
  return (
    <li>
      <p>
        <span class="strong">{kind === "blocked" ? text.everyTask : text.task(formatCount(index))}</span>{" "}
        <span class="muted">
          {failureKinds[kind]} · {texts.counts.attempts(attempts)}
          {client && (
            <>
              {" "}
              · {text.lastOn} <code>{client}</code>
            </>
          )}
        </span>
      </p>
      <p class="message">
        <bdi>{shownText(message)}</bdi>
      </p>
      {stack && (
        <details>
          <summary>{text.stack}</summary>
          <pre>{shownText(stack)}</pre>
        </details>
      )}
    </li>
  );
}
