import type { ComponentChildren, JSX } from "preact";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { formatBytes, formatCount, formatDuration, formatRate } from "../ui/format.ts";
import { texts } from "./texts/current.ts";

/** The server's main figures. */
export function Tiles({ status }: { status: ServerStatus }): JSX.Element {
  const { clients, tasks, blobs, damaged } = status;
  const { tiles: text } = texts.overview;
  const { counts } = texts;
  return (
    <dl class="tiles">
      <Tile label={text.clients} value={formatCount(clients.browser + clients.node)}>
        {text.clientsOf(counts.browsers(clients.browser), formatCount(clients.node))}
      </Tile>
      <Tile label={text.slotsBusy} value={`${formatCount(clients.busy)} / ${formatCount(clients.slots)}`}>
        {text.results(formatRate(status.rate))}
      </Tile>
      <Tile label={text.waiting} value={formatCount(tasks.queued)}>
        {text.running(formatCount(tasks.running))}
        {tasks.provisional > 0 && text.provisional(formatCount(tasks.provisional))}
      </Tile>
      <Tile label={text.done} value={formatCount(tasks.done)}>
        {tasks.droppedResults > 0
          ? text.dropped(formatCount(tasks.droppedResults))
          : text.underWay(counts.jobs(status.jobs))}
      </Tile>
      <Tile label={text.failed} value={formatCount(tasks.failed)} bad={tasks.failed > 0}>
        {tasks.failed > 0 ? text.seeJobs : text.noneFailed}
      </Tile>
      <Tile label={text.data} value={formatBytes(blobs.bytes)} bad={damaged.records + damaged.blobs > 0}>
        {text.dataOf(formatBytes(blobs.quotaBytes), counts.blobs(blobs.count))}
        {damaged.blobs > 0 && text.damagedBlobs(formatCount(damaged.blobs))}
        {damaged.records > 0 && text.damagedRecords(damaged.records)}
      </Tile>
      <Tile label={text.upFor} value={formatDuration(Date.now() - status.startedAt)}>
        {text.version(status.version)}
      </Tile>
    </dl>
  );
}

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly bad?: boolean;
  readonly children: ComponentChildren;
}

/** A figure with its label, and a note below. */
export function Tile({ label, value, bad, children }: TileProps): JSX.Element {
  return (
    <div class="card tile">
      <dt class="muted">{label}</dt>
      <dd class={bad ? "value bad" : "value"}>{value}</dd>
      <dd class="muted note">{children}</dd>
    </div>
  );
}
