import type { JSX } from "preact";
import type { TaskFailure } from "../../shared/wire/rest/failures.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { formatCount, plural } from "../ui/format.ts";
import { shownText } from "../ui/shown-name.ts";

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
          The first {formatCount(failures.length)} of {formatCount(counts.failed)} failures; the customer's
          results have them all.
        </p>
      )}
    </div>
  );
}

/** What the kinds of failures mean. */
export const failureKinds: Record<TaskFailure["kind"], string> = {
  error: "the kernel threw",
  timeout: "ran into its time limit",
  crash: "the sandbox crashed",
  memory: "used too much memory",
  unserialisable: "its input or output cannot be sent",
  data: "its data could not be had",
  refused: "its kernel does not load",
  lost: "its clients went away",
  quarantined: "ended with its job",
  blocked: "a job it comes after did not finish well",
};

function Failure({ failure }: { failure: TaskFailure }): JSX.Element {
  const { index, kind, message, stack, attempts, client } = failure;
  return (
    <li>
      <p>
        <span class="strong">{kind === "blocked" ? "Every task" : `Task ${formatCount(index)}`}</span>{" "}
        <span class="muted">
          {failureKinds[kind]} · {plural(attempts, "attempt")}
          {client && (
            <>
              {" "}
              · last on <code>{client}</code>
            </>
          )}
        </span>
      </p>
      <p class="message">
        <bdi>{shownText(message)}</bdi>
      </p>
      {stack && (
        <details>
          <summary>Stack</summary>
          <pre>{shownText(stack)}</pre>
        </details>
      )}
    </li>
  );
}
