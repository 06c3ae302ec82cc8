import type { ComponentChildren, JSX } from "preact";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { formatBytes, formatCount, formatDuration, formatRate, plural } from "../ui/format.ts";

/** The server's main figures. */
export function Tiles({ status }: { status: ServerStatus }): JSX.Element {
  const { clients, tasks, blobs, damaged } = status;
  return (
    <dl class="tiles">
      <Tile label="Clients" value={formatCount(clients.browser + clients.node)}>
        {plural(clients.browser, "browser")}, {formatCount(clients.node)} headless
      </Tile>
      <Tile label="Slots busy" value={`${formatCount(clients.busy)} / ${formatCount(clients.slots)}`}>
        {formatRate(status.rate)} results
      </Tile>
      <Tile label="Tasks waiting" value={formatCount(tasks.queued)}>
        {formatCount(tasks.running)} running
        {tasks.provisional > 0 && `, ${formatCount(tasks.provisional)} provisional`}
      </Tile>
      <Tile label="Tasks done" value={formatCount(tasks.done)}>
        {tasks.droppedResults > 0
          ? `${formatCount(tasks.droppedResults)} late results dropped`
          : `${plural(status.jobs, "job")} under way`}
      </Tile>
      <Tile label="Tasks failed" value={formatCount(tasks.failed)} bad={tasks.failed > 0}>
        {tasks.failed > 0 ? "see the jobs below" : "none"}
      </Tile>
      <Tile label="Data kept" value={formatBytes(blobs.bytes)} bad={damaged.records + damaged.blobs > 0}>
        of {formatBytes(blobs.quotaBytes)}, {plural(blobs.count, "blob")}
        {damaged.blobs > 0 && `, ${formatCount(damaged.blobs)} damaged`}
        {damaged.records > 0 && `, ${plural(damaged.records, "record")} damaged`}
      </Tile>
      <Tile label="Up for" value={formatDuration(Date.now() - status.startedAt)}>
        version {status.version}
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
