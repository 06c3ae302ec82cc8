import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { ClientInfo, JobInfo } from "../../shared/wire/rest.ts";
import { formatCount, formatDuration, formatShare, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { act } from "./state.ts";
import { Filter, matches, maxRows, Remainder } from "./table-filter.tsx";

interface ClientsProps {
  readonly clients: readonly ClientInfo[];
  readonly jobs: readonly JobInfo[];
}

/** Clients that are connected, or were until a moment ago. */
export function Clients({ clients, jobs }: ClientsProps): JSX.Element {
  const filter = useSignal("");
  const found = clients.filter((client) =>
    matches(filter.value, [client.name, client.kind, client.id, client.address]),
  );
  const ordered = found.sort(
    (a, b) =>
      Number(b.connected) - Number(a.connected) || b.leases - a.leases || a.connectedAt - b.connectedAt,
  );
  const shown = ordered.slice(0, maxRows);
  const names = new Map<string, string>(jobs.map(({ id, name }) => [id, name]));
  return (
    <section class="card panel" aria-labelledby="clients">
      <div class="panel-head">
        <h2 id="clients">{clients.length === 0 ? "Clients" : plural(clients.length, "client")}</h2>
        {clients.length > 0 && <Filter text={filter} label="Filter by name, kind or address" />}
      </div>
      {clients.length === 0 ? (
        <NoClients />
      ) : shown.length === 0 ? (
        <p class="empty">No client matches the filter.</p>
      ) : (
        <table class="table clients">
          <thead>
            <tr>
              <th scope="col">Client</th>
              <th scope="col">Kind</th>
              <th scope="col" class="number">
                Slots
              </th>
              <th scope="col">Computes</th>
              <th scope="col" class="number">
                Done
              </th>
              <th scope="col" class="number">
                Cache hits
              </th>
              <th scope="col">Last seen</th>
              <th scope="col">
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((client) => (
              <ClientRow key={client.id} client={client} names={names} />
            ))}
          </tbody>
        </table>
      )}
      <Remainder shown={shown.length} of={ordered.length} noun="clients" />
    </section>
  );
}

interface RowProps {
  readonly client: ClientInfo;
  readonly names: ReadonlyMap<string, string>;
}

function ClientRow({ client, names }: RowProps): JSX.Element {
  return (
    <tr class={client.connected ? "" : "gone"}>
      <th scope="row" data-label="Client">
        <span class="strong">{shownName(client.name)}</span>
        <span class="muted sub">
          {client.address} · <code>{client.id}</code>
        </span>
      </th>
      <td data-label="Kind">
        {client.kind === "browser" ? "browser" : "headless"}
        <span class="muted sub">{client.trusted ? "trusted" : "volunteer"}</span>
      </td>
      <td data-label="Slots" class="number">
        {formatCount(client.slots)}
      </td>
      <td data-label="Computes" class="wide">
        <Current client={client} names={names} />
      </td>
      <td data-label="Done" class="number">
        {formatCount(client.done)}
        {client.failed > 0 && <span class="bad sub">{formatCount(client.failed)} failed</span>}
      </td>
      <td data-label="Cache hits" class="number">
        {client.cacheHitRatio === null ? "–" : formatShare(client.cacheHitRatio)}
      </td>
      <td data-label="Last seen">
        {client.connected ? "connected" : `${formatDuration(Date.now() - client.lastSeenAt)} ago`}
      </td>
      <td class="actions">
        <ClientActions client={client} />
      </td>
    </tr>
  );
}

function Current({ client, names }: RowProps): JSX.Element {
  const [first] = client.current;
  if (!first)
    return <span class="muted">{client.leases > 0 ? `holds ${plural(client.leases, "task")}` : "idle"}</span>;
  const rest = client.leases - 1;
  return (
    <>
      <span>{shownName(names.get(first.job) ?? first.job)}</span>
      <span class="muted sub">
        task {formatCount(first.index)}
        {first.progress > 0 && `, ${formatShare(first.progress)}`}
        {rest > 0 && `, and ${formatCount(rest)} more`}
      </span>
    </>
  );
}

function ClientActions({ client }: { client: ClientInfo }): JSX.Element {
  const path = `api/clients/${client.id}`;
  return (
    <div class="action-list">
      {client.connected && (
        <button type="button" class="button small" onClick={() => void act("POST", `${path}/disconnect`)}>
          Disconnect
        </button>
      )}
      <DangerButton
        label="Ban"
        title={`Ban ${shownName(client.name)}?`}
        text="It is disconnected, its tasks go to others, and it is refused from now on."
        verb="Ban the client"
        yes={() => void act("POST", `${path}/ban`)}
      />
    </div>
  );
}

function NoClients(): JSX.Element {
  return (
    <div class="empty">
      <p>
        Nobody computes yet. Open the volunteer address on any machine with a browser, or start a headless
        client:
      </p>
      <pre>{`npx manyhands client --server ${new URL(".", location.href).href}`}</pre>
    </div>
  );
}
