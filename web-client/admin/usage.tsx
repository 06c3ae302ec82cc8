import type { JSX } from "preact";
import type { UsageInfo } from "../../shared/wire/rest/usage.ts";
import { formatBytes, formatCount } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { QuotaButton } from "./quota.tsx";
import { texts } from "./texts/current.ts";

/** Stored bytes and jobs of each customer, beside its quota. */
export function Usage({ usage }: { usage: readonly UsageInfo[] }): JSX.Element | null {
  if (usage.length === 0) return null;
  const text = texts.overview.usage;
  return (
    <section class="card panel" aria-labelledby="usage">
      <div class="panel-head">
        <h2 id="usage">{texts.counts.customers(usage.length)}</h2>
      </div>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{text.customer}</th>
            <th scope="col" class="number">
              {text.stored}
            </th>
            <th scope="col" class="number">
              {text.inputs}
            </th>
            <th scope="col" class="number">
              {text.outputs}
            </th>
            <th scope="col" class="number">
              {text.blobs}
            </th>
            <th scope="col" class="number">
              {text.jobs}
            </th>
            <th scope="col" class="number">
              {text.openTasks}
            </th>
            <th scope="col">
              <span class="visually-hidden">{texts.frame.actions}</span>
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
  const { customer, bytes, jobs, kernels, openTasks, quota, ownQuota, full } = usage;
  const text = texts.overview.usage;
  return (
    <tr>
      <th scope="row" data-label={text.customer}>
        <span class="strong">{shownName(customer)}</span>
        {Object.keys(ownQuota).length > 0 && <span class="muted sub">{text.ownQuota}</span>}
        {full && <span class="bad sub">{text.full}</span>}
      </th>
      <td data-label={text.stored} class="number">
        {formatBytes(bytes.total)}
        <span class="muted sub">{text.of(formatBytes(quota.bytes))}</span>
      </td>
      <td data-label={text.inputs} class="number">
        {formatBytes(bytes.inputs)}
      </td>
      <td data-label={text.outputs} class="number">
        {formatBytes(bytes.outputs)}
      </td>
      <td data-label={text.blobs} class="number">
        {formatBytes(bytes.blobs)}
      </td>
      <td data-label={text.jobs} class="number">
        {formatCount(jobs)}
        <span class="muted sub">{text.jobsOf(formatCount(quota.jobs), texts.counts.kernels(kernels))}</span>
      </td>
      <td data-label={text.openTasks} class="number">
        {formatCount(openTasks)}
        <span class="muted sub">{text.of(formatCount(quota.openTasks))}</span>
      </td>
      <td class="actions">
        <div class="action-list">
          <QuotaButton customer={customer} />
        </div>
      </td>
    </tr>
  );
}
