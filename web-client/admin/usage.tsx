import type { JSX } from "preact";
import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import { formatBytes, formatCount, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";

/** Stored bytes and jobs of each customer, beside its quota. */
export function Usage({ usage }: { usage: readonly UsageInfo[] }): JSX.Element | null {
  if (usage.length === 0) return null;
  return (
    <section class="card panel" aria-labelledby="usage">
      <div class="panel-head">
        <h2 id="usage">{plural(usage.length, "customer")}</h2>
      </div>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Customer</th>
            <th scope="col" class="number">
              Stored
            </th>
            <th scope="col" class="number">
              Inputs
            </th>
            <th scope="col" class="number">
              Outputs
            </th>
            <th scope="col" class="number">
              Blobs
            </th>
            <th scope="col" class="number">
              Jobs
            </th>
            <th scope="col" class="number">
              Open tasks
            </th>
          </tr>
        </thead>
        <tbody>
          {usage.map((customer) => (
            <UsageRow key={customer.customer} usage={customer} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function UsageRow({ usage }: { usage: UsageInfo }): JSX.Element {
  const { customer, bytes, jobs, kernels, openTasks, quota, full } = usage;
  return (
    <tr>
      <th scope="row" data-label="Customer">
        <span class="strong">{shownName(customer)}</span>
        {full && <span class="bad sub">quota full: no task is handed out</span>}
      </th>
      <td data-label="Stored" class="number">
        {formatBytes(bytes.total)}
        <span class="muted sub">of {formatBytes(quota.bytes)}</span>
      </td>
      <td data-label="Inputs" class="number">
        {formatBytes(bytes.inputs)}
      </td>
      <td data-label="Outputs" class="number">
        {formatBytes(bytes.outputs)}
      </td>
      <td data-label="Blobs" class="number">
        {formatBytes(bytes.blobs)}
      </td>
      <td data-label="Jobs" class="number">
        {formatCount(jobs)}
        <span class="muted sub">
          of {formatCount(quota.jobs)}, {plural(kernels, "kernel")}
        </span>
      </td>
      <td data-label="Open tasks" class="number">
        {formatCount(openTasks)}
        <span class="muted sub">of {formatCount(quota.openTasks)}</span>
      </td>
    </tr>
  );
}
