import { untracked, useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import {
  clientSorts,
  clientStates,
  type ClientInfo,
  type ClientQuery,
} from "../../shared/wire/rest/clients.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import type { Why } from "../../shared/wire/why.ts";
import { formatCount, formatDuration, formatShare, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { request } from "./api.ts";
import {
  actOn,
  ask,
  clientsPerPage,
  first,
  isAsked,
  page,
  question,
  refreshQuietly,
  tick,
  tickAll,
  ticked,
  turnTo,
} from "./client-pages.ts";
import { DangerButton } from "./confirm.tsx";
import { act, snapshot } from "./state.ts";
import { SearchField } from "./table-filter.tsx";

interface ClientsProps {
  /** The clients that the server pushes: connected and busy ones first, up to a page. */
  readonly clients: readonly ClientInfo[];
  readonly count: number;
  readonly jobs: readonly JobInfo[];
}

/** Clients that are connected, or were until a moment ago; those that the server pushes, until the person asks for others. */
export function Clients({ clients, count, jobs }: ClientsProps): JSX.Element {
  // A page that the person asked for is renewed with each push.
  useSignalEffect(() => {
    if (snapshot.value) untracked(refreshQuietly);
  });
  const shown = isAsked() ? page.value?.clients : clients;
  const names = new Map<string, string>(jobs.map(({ id, name }) => [id, name]));
  return (
    <section class="card panel" aria-labelledby="clients">
      <div class="panel-head">
        <h2 id="clients">{count === 0 ? "Clients" : plural(count, "client")}</h2>
        {count > 0 && <Question />}
      </div>
      {ticked.value.size > 0 && <Ticked />}
      {count === 0 ? (
        <NoClients />
      ) : !shown ? (
        <p class="empty">Asking the server…</p>
      ) : shown.length === 0 ? (
        <p class="empty">No client is like that.</p>
      ) : (
        <ClientTable clients={shown} names={names} />
      )}
      <Pages pushed={clients.length} count={count} />
    </section>
  );
}

const stateNames: Record<(typeof clientStates)[number], string> = {
  connected: "Connected",
  gone: "Gone",
  busy: "Busy",
  idle: "Idle",
  drained: "Drained",
  failing: "Failing or lost",
};
const sortNames: Record<(typeof clientSorts)[number], string> = {
  joined: "Newest first",
  name: "Name",
  kind: "Kind",
  slots: "Slots",
  leases: "Tasks held",
  taskMs: "Time a task",
  done: "Done",
  failed: "Failed",
  lost: "Lost",
  checked: "Checked",
  cache: "Cache hits",
  lastSeen: "Last seen",
  version: "Version",
};

function Question(): JSX.Element {
  const { search = "", state, kind, sort, order } = question.value;
  return (
    <div class="question">
      <select
        aria-label="Which clients"
        value={state ?? ""}
        onChange={({ currentTarget }) =>
          ask({ state: (currentTarget.value || undefined) as ClientQuery["state"] })
        }
      >
        <option value="">All</option>
        {clientStates.map((name) => (
          <option key={name} value={name}>
            {stateNames[name]}
          </option>
        ))}
      </select>
      <select
        aria-label="Kind of client"
        value={kind ?? ""}
        onChange={({ currentTarget }) =>
          ask({ kind: (currentTarget.value || undefined) as ClientQuery["kind"] })
        }
      >
        <option value="">Any kind</option>
        <option value="browser">Browsers</option>
        <option value="node">Headless</option>
      </select>
      <select
        aria-label="Order of clients"
        value={sort ?? ""}
        onChange={({ currentTarget }) =>
          ask({ sort: (currentTarget.value || undefined) as ClientQuery["sort"] })
        }
      >
        <option value="">Busy first</option>
        {clientSorts.map((name) => (
          <option key={name} value={name}>
            {sortNames[name]}
          </option>
        ))}
      </select>
      {sort !== undefined && (
        <button
          type="button"
          class="button small"
          onClick={() => ask({ order: order === "asc" ? "desc" : "asc" })}
          aria-label={order === "asc" ? "Lowest first; show highest first" : "Turn the order"}
        >
          {order === "asc" ? "↑" : "↓"}
        </button>
      )}
      <SearchField
        text={search}
        label="Search name, address, version, id"
        onText={(text) => ask({ search: text })}
      />
    </div>
  );
}

/** What may be done to all ticked clients at once. */
function Ticked(): JSX.Element {
  const ids = [...ticked.value];
  const noun = plural(ids.length, "client");
  return (
    <div class="ticked" role="group" aria-label="Ticked clients">
      <span class="strong">{noun} ticked</span>
      <button type="button" class="button small" onClick={() => void tickAll()}>
        Tick all that match
      </button>
      <button type="button" class="button small" onClick={() => void actOn("drain", ids)}>
        Drain
      </button>
      <button type="button" class="button small" onClick={() => void actOn("resume", ids)}>
        Give tasks again
      </button>
      <button type="button" class="button small" onClick={() => void actOn("disconnect", ids)}>
        Disconnect
      </button>
      <DangerButton
        label="Ban"
        title={`Ban ${noun}?`}
        text="They are disconnected, their tasks go to others, and they are refused from now on. `manyhands bans --lift` takes each back."
        verb={`Ban ${noun}`}
        yes={() => void actOn("ban", ids)}
      />
      <button type="button" class="button small" onClick={() => (ticked.value = new Set())}>
        Untick
      </button>
    </div>
  );
}

function ClientTable({
  clients,
  names,
}: {
  clients: readonly ClientInfo[];
  names: ReadonlyMap<string, string>;
}): JSX.Element {
  const areAll = clients.every(({ id }) => ticked.value.has(id));
  return (
    <table class="table clients">
      <thead>
        <tr>
          <th scope="col">
            <input
              type="checkbox"
              aria-label="Tick all of this page"
              checked={areAll}
              onChange={() => {
                const all = new Set(ticked.value);
                for (const { id } of clients)
                  if (areAll) all.delete(id);
                  else all.add(id);
                ticked.value = all;
              }}
            />
          </th>
          <th scope="col">Client</th>
          <th scope="col">Kind</th>
          <th scope="col" class="number">
            Slots
          </th>
          <th scope="col">Computes</th>
          <th scope="col" class="number">
            A task
          </th>
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
        {clients.map((client) => (
          <ClientRow key={client.id} client={client} names={names} />
        ))}
      </tbody>
    </table>
  );
}

function Pages({ pushed, count }: { pushed: number; count: number }): JSX.Element | null {
  if (!isAsked()) {
    if (pushed >= count) return null;
    return (
      <div class="pages">
        <p class="muted">
          {formatCount(pushed)} of {plural(count, "client")}, the connected and busy ones first.
        </p>
        <button type="button" class="button small" onClick={() => ask({ sort: "joined" })}>
          All, newest first
        </button>
      </div>
    );
  }
  const { count: found = 0, next } = page.value ?? {};
  return (
    <div class="pages">
      <p class="muted" aria-live="polite">
        {plural(found, "client")} found{found > clientsPerPage && `, from ${formatCount(first.value + 1)} on`}
      </p>
      <button
        type="button"
        class="button small"
        disabled={first.value === 0}
        onClick={() => turnTo(Math.max(0, first.value - clientsPerPage))}
      >
        Back
      </button>
      <button
        type="button"
        class="button small"
        disabled={next === undefined}
        onClick={() => next !== undefined && turnTo(next)}
      >
        On
      </button>
    </div>
  );
}

interface RowProps {
  readonly client: ClientInfo;
  readonly names: ReadonlyMap<string, string>;
}

function ClientRow({ client, names }: RowProps): JSX.Element {
  return (
    <tr class={client.connected ? "" : "gone"}>
      <td data-label="Ticked">
        <input
          type="checkbox"
          aria-label={`Tick ${shownName(client.name)}`}
          checked={ticked.value.has(client.id)}
          onChange={({ currentTarget }) => tick(client.id, currentTarget.checked)}
        />
      </td>
      <th scope="row" data-label="Client">
        <span class="strong">{shownName(client.name)}</span>
        <span class="muted sub">
          {client.address} · <code>{client.id}</code>
          {client.version !== "" && ` · ${client.version}`}
        </span>
      </th>
      <td data-label="Kind">
        {client.kind === "browser" ? "browser" : "headless"}
        <span class="muted sub">{client.trusted ? "trusted" : "volunteer"}</span>
        {client.drained && <span class="sub">drained</span>}
      </td>
      <td data-label="Slots" class="number">
        {formatCount(client.slots)}
      </td>
      <td data-label="Computes" class="wide">
        <Current client={client} names={names} />
      </td>
      <td data-label="A task" class="number">
        {client.taskMs === null ? "–" : formatMs(client.taskMs)}
      </td>
      <td data-label="Done" class="number">
        {formatCount(client.done)}
        {client.failed > 0 && <span class="bad sub">{formatCount(client.failed)} failed</span>}
        {client.lost > 0 && <span class="bad sub">{formatCount(client.lost)} lost</span>}
        {client.checked > 0 && <span class="muted sub">{formatCount(client.checked)} checked</span>}
      </td>
      <td data-label="Cache hits" class="number">
        {client.cacheHitRatio === null ? "–" : formatShare(client.cacheHitRatio)}
        {client.cachedBlobs > 0 && <span class="muted sub">{plural(client.cachedBlobs, "blob")}</span>}
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
    return client.leases > 0 ? (
      <span class="muted">holds {plural(client.leases, "task")}</span>
    ) : (
      <Idle client={client} />
    );
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

/** Tells on demand why the client has no task. */
function Idle({ client }: { client: ClientInfo }): JSX.Element {
  const why = useSignal<string | undefined>(undefined);
  const tell = async (): Promise<void> => {
    try {
      const { reasons } = (await request("GET", `api/clients/${client.id}/why`)) as Why;
      why.value = reasons.map(({ text }) => text).join(" ") || "A task is on its way.";
    } catch {
      why.value = "The server does not know the client any more.";
    }
  };
  return (
    <span class="muted">
      {why.value ?? (
        <>
          idle{" "}
          <button type="button" class="link" onClick={() => void tell()}>
            why?
          </button>
        </>
      )}
    </span>
  );
}

function formatMs(ms: number): string {
  return ms < 1_000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function ClientActions({ client }: { client: ClientInfo }): JSX.Element {
  const path = `api/clients/${client.id}`;
  return (
    <div class="action-list">
      <button
        type="button"
        class="button small"
        onClick={() => void actOn(client.drained ? "resume" : "drain", [client.id])}
      >
        {client.drained ? "Give tasks" : "Drain"}
      </button>
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
