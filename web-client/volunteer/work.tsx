import type { JSX } from "preact";
import type { ClientStatus, SlotStatus } from "../../shared/client/status.ts";
import { formatCount, formatShare, plural, shortHash } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";

/** The count of done tasks, and the task of every slot. */
export function Work({ status }: { status: ClientStatus }): JSX.Element {
  return (
    <section class="card work" aria-labelledby="work">
      <h2 id="work">Work</h2>
      <dl class="figures">
        <Figure label="Tasks done" value={formatCount(status.done)} />
        <Figure label="In the queue" value={formatCount(status.queued)} />
        {status.unsent > 0 && <Figure label="Waiting for delivery" value={formatCount(status.unsent)} />}
        {status.failed > 0 && <Figure label="Failed" value={formatCount(status.failed)} />}
      </dl>
      <ul class="slots">
        {status.slots.map((slot, i) => (
          <Slot key={i} number={i + 1} slot={slot} />
        ))}
      </ul>
    </section>
  );
}

function Figure({ label, value }: { label: string; value: string }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Slot({ number, slot }: { number: number; slot: SlotStatus }): JSX.Element {
  if (slot.state !== "running")
    return (
      <li class="slot idle">
        <div class="slot-head">
          <span>Core {number}</span>
          <span class="muted">{slot.state === "broken" ? "the sandbox could not start" : "idle"}</span>
        </div>
        <div class="bar" aria-hidden="true" />
      </li>
    );
  const { job, fraction, bundled, index } = slot;
  const label = bundled > 1 ? plural(bundled, "small task") : `task ${formatCount(index)}`;
  return (
    <li class="slot">
      <div class="slot-head">
        <span class="slot-job">{shownName(job.name)}</span>
        <span class="muted">{fraction > 0 ? formatShare(fraction) : label}</span>
      </div>
      <div
        class={fraction > 0 ? "bar" : "bar unknown"}
        role="progressbar"
        aria-label={`Core ${number}: ${shownName(job.name)}, ${label}`}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(fraction > 0 && { "aria-valuenow": Math.round(fraction * 100) })}
      >
        <div class="fill" style={{ width: `${fraction * 100}%` }} />
      </div>
      <div class="slot-foot muted">
        <span>
          Core {number} · for {shownName(job.customer)}
          {job.signature && `, signed by ${shownName(job.signature.name)}`}
          {fraction > 0 && ` · ${label}`}
        </span>
        <code title={`The program that runs has the SHA-256 ${job.kernel.sha256}`}>
          {shortHash(job.kernel.sha256)}
        </code>
      </div>
    </li>
  );
}
