import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { JobInfo } from "../../shared/rest.ts";
import { plural } from "../ui/format.ts";
import { JobRow } from "./job-row.tsx";
import { jobStateOf } from "./job-state.ts";
import { Filter, matches, maxRows, Remainder } from "./table-filter.tsx";

/** Every job: those that still run first, then the newest. */
export function Jobs({ jobs }: { jobs: readonly JobInfo[] }): JSX.Element {
  const filter = useSignal("");
  const found = jobs.filter((job) =>
    matches(filter.value, [job.name, job.customer, job.id, jobStateOf(job).label]),
  );
  const ordered = found.sort(
    (a, b) => Number(a.endedAt !== null) - Number(b.endedAt !== null) || b.createdAt - a.createdAt,
  );
  const shown = ordered.slice(0, maxRows);
  return (
    <section class="card panel" aria-labelledby="jobs">
      <div class="panel-head">
        <h2 id="jobs">{jobs.length === 0 ? "Jobs" : plural(jobs.length, "job")}</h2>
        {jobs.length > 0 && <Filter text={filter} label="Filter by name, customer or state" />}
      </div>
      {jobs.length === 0 ? (
        <NoJobs />
      ) : shown.length === 0 ? (
        <p class="empty">No job matches the filter.</p>
      ) : (
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
            {shown.map((job) => (
              <JobRow key={job.id} job={job} />
            ))}
          </tbody>
        </table>
      )}
      <Remainder shown={shown.length} of={ordered.length} noun="jobs" />
    </section>
  );
}

function NoJobs(): JSX.Element {
  return (
    <div class="empty">
      <p>No jobs yet. Submit one from a script on any machine that has a customer's token:</p>
      <pre>
        {`const hands = await connect("${location.origin}");
const squares = await hands.map((x) => x * x, [1, 2, 3]);`}
      </pre>
    </div>
  );
}
