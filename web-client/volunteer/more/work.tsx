import type { JSX } from "preact";
import type { ClientStatus, SlotStatus } from "../../../shared/client/status.ts";
import { formatBytes, formatCount, formatDuration, formatShare, shortHash } from "../../ui/format.ts";
import { shownName, shownText } from "../../ui/shown-name.ts";
import { Drawing } from "./drawing.tsx";
import { more } from "./texts.ts";
import { steps, type Step, type ShownTrail, type TrailEntry } from "./trail.ts";

interface WorkProps {
  readonly status: ClientStatus;
  readonly trail: ShownTrail;
  /** Measured share of the lent time, and the most that the person allows. */
  readonly measured: number | undefined;
  readonly cpu: number;
}

/** Counts, the task of every slot, what kernels show, and the way of the last tasks. */
export function Work({ status, trail, measured, cpu }: WorkProps): JSX.Element {
  const { figures } = more;
  return (
    <section class="card more-card" aria-labelledby="work">
      <h2 id="work">{more.work}</h2>
      <dl class="figures">
        <Figure label={figures.done} value={formatCount(status.done)} />
        {trail.verified && (
          <Figure
            label={figures.accepted}
            value={formatCount(trail.verified.accepted)}
            note={
              trail.verified.checked > 0 ? figures.checked(formatCount(trail.verified.checked)) : undefined
            }
          />
        )}
        <Figure label={figures.queued} value={formatCount(status.queued)} />
        {status.unsent > 0 && <Figure label={figures.unsent} value={formatCount(status.unsent)} />}
        {status.failed > 0 && <Figure label={figures.failed} value={formatCount(status.failed)} />}
        {measured !== undefined && (
          <Figure
            label={figures.cpu}
            value={formatShare(measured)}
            note={figures.limit(formatShare(cpu / 100))}
          />
        )}
      </dl>
      {status.failed > 0 && <p class="muted small">{more.failedHow}</p>}
      <ul class="slots">
        {status.slots.map((slot, i) => (
          <Slot key={i} number={i + 1} slot={slot} />
        ))}
      </ul>
      {trail.shown.size > 0 && (
        <div class="drawings">
          {[...trail.shown].map(([slot, { job, shown }]) => (
            <Drawing key={`${slot} ${shown.kind}`} shown={shown} label={more.shownBy(shownName(job))} />
          ))}
        </div>
      )}
      {trail.entries.length > 0 && (
        <>
          <h3>{more.trail.title}</h3>
          <ol class="trail">
            {trail.entries.map((entry) => (
              <Way key={entry.id} entry={entry} />
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

/** The way of a task: one mark for each step. */
function Way({ entry }: { entry: TrailEntry }): JSX.Element {
  const { job, index, count, state, message = "" } = entry;
  const label = count > 1 ? more.bundle(formatCount(count)) : more.task(formatCount(index));
  const reached = steps.indexOf(state as Step);
  return (
    <li class={state}>
      <span class="way" aria-hidden="true">
        {marks.map((step) => (
          <i key={step} class={reached >= steps.indexOf(step) ? "reached" : ""} />
        ))}
      </span>
      <span>
        <b dir="auto">{shownName(job)}</b> · {label}:{" "}
        {state === "failed" ? more.trail.failed(shownText(message)) : more.trail[state]}
      </span>
    </li>
  );
}

/** The steps that have a mark. */
const marks = ["computing", "delivered", "accepted", "checked"] as const;

function Figure({
  label,
  value,
  note,
}: {
  label: string;
  value: string;
  note?: string | undefined;
}): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {value} {note && <small class="muted">{note}</small>}
      </dd>
    </div>
  );
}

function Slot({ number, slot }: { number: number; slot: SlotStatus }): JSX.Element {
  const core = more.core(number);
  if (slot.state !== "running")
    return (
      <li class="slot idle">
        <div class="slot-head">
          <span>{core}</span>
          <span class="muted">{idleText(slot)}</span>
        </div>
        <div class="bar" aria-hidden="true" />
      </li>
    );
  const { job, fraction, bundled, index, startedAt } = slot;
  const label = bundled > 1 ? more.bundle(formatCount(bundled)) : more.task(formatCount(index));
  const { kernel, signature, description } = job;
  return (
    <li class="slot">
      <div class="slot-head">
        <span class="slot-job">{shownName(job.name)}</span>
        <span class="muted">{fraction > 0 ? formatShare(fraction) : label}</span>
      </div>
      <div
        class={fraction > 0 ? "bar" : "bar unknown"}
        role="progressbar"
        aria-label={`${core}: ${shownName(job.name)}, ${label}`}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(fraction > 0 && { "aria-valuenow": Math.round(fraction * 100) })}
      >
        <div class="fill" style={{ width: `${fraction * 100}%` }} />
      </div>
      <div class="slot-foot muted">
        <span>
          {core} · {more.forWhom(shownName(job.customer))}
          {signature && more.signedBy(shownName(signature.name))}
          {fraction > 0 && ` · ${label}`} · {timeText(fraction, performance.now() - startedAt)}
        </span>
        <code title={more.programTitle(kernel.sha256)}>
          {shortHash(kernel.sha256)} · {formatBytes(kernel.size)}
        </code>
      </div>
      {description && (
        <p class="slot-about muted" dir="auto">
          {shownText(description)}
        </p>
      )}
    </li>
  );
}

/** A task that has run for a while tells how long it will take, as far as its progress shows. */
function timeText(fraction: number, ms: number): string {
  if (fraction > 0.02 && ms > 1_000)
    return more.left(formatDuration(Math.max(1_000, (ms / fraction) * (1 - fraction))));
  return more.since(formatDuration(ms));
}

function idleText(slot: Exclude<SlotStatus, { state: "running" }>): string {
  if (slot.state === "broken") return more.brokenCore;
  const { restUntil = 0 } = slot;
  const seconds = Math.ceil((restUntil - performance.now()) / 1000);
  return seconds > 0 ? more.restingCore(seconds) : more.idleCore;
}
