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
import { formatBrief, formatCount, formatDuration, formatShare } from "../ui/format.ts";
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
  tickAll,
  ticks,
  turnTo,
} from "./client-pages.ts";
import { DangerButton } from "./confirm.tsx";
import { ReloadButton } from "./reload-clients.tsx";
import { act, snapshot } from "./state.ts";
import { SearchField } from "./table-filter.tsx";
import { texts } from "./texts/current.ts";
import { TickBox, TickedBar, TickPageBox } from "./ticks.tsx";

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
  const { clients: text } = texts;
  const names = new Map<string, string>(jobs.map(({ id, name }) => [id, name]));
  return (
    <section class="card panel" aria-labelledby="clients">
      <div class="panel-head">
        <h2 id="clients">{count === 0 ? text.title : texts.counts.clients(count)}</h2>
        {count > 0 && <Question />}
      </div>
      {ticks.ids.value.size > 0 && <Ticked />}
      {count === 0 ? (
        <NoClients />
      ) : !shown ? (
        <p class="empty">{texts.frame.asking}</p>
      ) : shown.length === 0 ? (
        <p class="empty">{text.noMatch}</p>
      ) : (
        <ClientTable clients={shown} names={names} />
      )}
      <Pages pushed={clients.length} count={count} />
    </section>
  );
}

function Question(): JSX.Element {
  const { search = "", state, kind, sort, order } = question.value;
  const { clients: text } = texts;
  return (
    <div class="question">
      <select
        aria-label={text.which}
        value={state ?? ""}
        onChange={({ currentTarget }) =>
          ask({ state: (currentTarget.value || undefined) as ClientQuery["state"] })
        }
      >
        <option value="">{text.all}</option>
        {clientStates.map((name) => (
          <option key={name} value={name}>
            {text.states[name]}
          </option>
        ))}
      </select>
      <select
        aria-label={text.kind}
        value={kind ?? ""}
        onChange={({ currentTarget }) =>
          ask({ kind: (currentTarget.value || undefined) as ClientQuery["kind"] })
        }
      >
        <option value="">{text.anyKind}</option>
        <option value="browser">{text.kinds.browser}</option>
        <option value="node">{text.kinds.node}</option>
      </select>
      <select
        aria-label={text.order}
        value={sort ?? ""}
        onChange={({ currentTarget }) =>
          ask({ sort: (currentTarget.value || undefined) as ClientQuery["sort"] })
        }
      >
        <option value="">{text.busyFirst}</option>
        {clientSorts.map((name) => (
          <option key={name} value={name}>
            {text.sorts[name]}
          </option>
        ))}
      </select>
      {sort !== undefined && (
        <button
          type="button"
          class="button small"
          onClick={() => ask({ order: order === "asc" ? "desc" : "asc" })}
          aria-label={order === "asc" ? text.lowestFirst : text.turnOrder}
        >
          {order === "asc" ? "↑" : "↓"}
        </button>
      )}
      <SearchField text={search} label={text.search} onText={(typed) => ask({ search: typed })} />
    </div>
  );
}

function Ticked(): JSX.Element {
  const ids = [...ticks.ids.value];
  const noun = texts.counts.clients(ids.length);
  const { ticked: text, actions } = texts.clients;
  return (
    <TickedBar ticks={ticks} label={text.title} noun={noun} onAll={tickAll}>
      <button type="button" class="button small" onClick={() => void actOn("drain", ids)}>
        {actions.drain}
      </button>
      <button type="button" class="button small" onClick={() => void actOn("resume", ids)}>
        {text.resume}
      </button>
      <ReloadButton ids={ids} />
      <button type="button" class="button small" onClick={() => void actOn("disconnect", ids)}>
        {actions.disconnect}
      </button>
      <DangerButton
        label={actions.ban}
        title={text.banTitle(noun)}
        text={text.banText}
        verb={text.banVerb(noun)}
        yes={() => void actOn("ban", ids)}
      />
    </TickedBar>
  );
}

function ClientTable({
  clients,
  names,
}: {
  clients: readonly ClientInfo[];
  names: ReadonlyMap<string, string>;
}): JSX.Element {
  const { columns } = texts.clients;
  return (
    <table class="table clients">
      <thead>
        <tr>
          <th scope="col">
            <TickPageBox ticks={ticks} rows={clients} />
          </th>
          <th scope="col">{columns.client}</th>
          <th scope="col">{columns.kind}</th>
          <th scope="col" class="number">
            {columns.slots}
          </th>
          <th scope="col">{columns.computes}</th>
          <th scope="col" class="number">
            {columns.taskMs}
          </th>
          <th scope="col" class="number">
            {columns.done}
          </th>
          <th scope="col" class="number">
            {columns.cacheHits}
          </th>
          <th scope="col">{columns.lastSeen}</th>
          <th scope="col">
            <span class="visually-hidden">{texts.frame.actions}</span>
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
  const { clients: text, counts } = texts;
  if (!isAsked()) {
    if (pushed >= count) return null;
    return (
      <div class="pages">
        <p class="muted">{text.pushed(formatCount(pushed), counts.clients(count))}</p>
        <button type="button" class="button small" onClick={() => ask({ sort: "joined" })}>
          {text.allNewest}
        </button>
      </div>
    );
  }
  const { count: found = 0, next } = page.value ?? {};
  return (
    <div class="pages">
      <p class="muted" aria-live="polite">
        {found > clientsPerPage
          ? text.foundFrom(counts.clients(found), formatCount(first.value + 1))
          : text.found(counts.clients(found))}
      </p>
      <button
        type="button"
        class="button small"
        disabled={first.value === 0}
        onClick={() => turnTo(Math.max(0, first.value - clientsPerPage))}
      >
        {text.back}
      </button>
      <button
        type="button"
        class="button small"
        disabled={next === undefined}
        onClick={() => next !== undefined && turnTo(next)}
      >
        {text.on}
      </button>
    </div>
  );
}

interface RowProps {
  readonly client: ClientInfo;
  readonly names: ReadonlyMap<string, string>;
}

function ClientRow({ client, names }: RowProps): JSX.Element {
  const { clients: text } = texts;
  const { columns } = text;
  return (
    <tr class={client.connected ? "" : "gone"}>
      <td data-label={texts.ticks.column}>
        <TickBox ticks={ticks} id={client.id} name={shownName(client.name)} />
      </td>
      <th scope="row" data-label={columns.client}>
        <span class="strong">{shownName(client.name)}</span>
        <span class="muted sub">
          {client.address} · <code>{client.id}</code>
          {client.version !== "" && ` · ${client.version}`}
        </span>
      </th>
      <td data-label={columns.kind}>
        {client.kind === "browser" ? text.browser : text.headless}
        <span class="muted sub">{client.trusted ? text.trusted : text.volunteer}</span>
        {client.drained && <span class="sub">{text.drained}</span>}
      </td>
      <td data-label={columns.slots} class="number">
        {formatCount(client.slots)}
      </td>
      <td data-label={columns.computes} class="wide">
        <Current client={client} names={names} />
      </td>
      <td data-label={columns.taskMs} class="number">
        {client.taskMs === null ? "–" : formatBrief(client.taskMs)}
      </td>
      <td data-label={columns.done} class="number">
        {formatCount(client.done)}
        {client.failed > 0 && <span class="bad sub">{text.failed(formatCount(client.failed))}</span>}
        {client.lost > 0 && <span class="bad sub">{text.lost(formatCount(client.lost))}</span>}
        {client.checked > 0 && <span class="muted sub">{text.checked(formatCount(client.checked))}</span>}
      </td>
      <td data-label={columns.cacheHits} class="number">
        {client.cacheHitRatio === null ? "–" : formatShare(client.cacheHitRatio)}
        {client.cachedBlobs > 0 && <span class="muted sub">{texts.counts.blobs(client.cachedBlobs)}</span>}
      </td>
      <td data-label={columns.lastSeen}>
        {client.connected ? text.connected : text.ago(formatDuration(Date.now() - client.lastSeenAt))}
      </td>
      <td class="actions">
        <ClientActions client={client} />
      </td>
    </tr>
  );
}

function Current({ client, names }: RowProps): JSX.Element {
  const [first] = client.current;
  const { clients: text } = texts;
  if (!first)
    return client.leases > 0 ? (
      <span class="muted">{text.holds(texts.counts.tasks(client.leases))}</span>
    ) : (
      <Idle client={client} />
    );
  const rest = client.leases - 1;
  return (
    <>
      <span>{shownName(names.get(first.job) ?? first.job)}</span>
      <span class="muted sub">
        {text.task(formatCount(first.index))}
        {first.progress > 0 && `, ${formatShare(first.progress)}`}
        {rest > 0 && text.andMore(formatCount(rest))}
      </span>
    </>
  );
}

/** Tells on demand why the client has no task. */
function Idle({ client }: { client: ClientInfo }): JSX.Element {
  const why = useSignal<{ readonly text: string; readonly language?: string } | undefined>(undefined);
  const { clients: text } = texts;
  const tell = async (): Promise<void> => {
    try {
      const { reasons } = (await request("GET", `api/clients/${client.id}/why`)) as Why;
      const said = reasons.map((reason) => reason.text).join(" ");
      why.value = said === "" ? { text: text.onItsWay } : { text: said, language: "en" };
    } catch {
      why.value = { text: text.unknown };
    }
  };
  return (
    <span class="muted">
      {why.value ? (
        <span lang={why.value.language}>{why.value.text}</span>
      ) : (
        <>
          {text.idle}{" "}
          <button type="button" class="link" onClick={() => void tell()}>
            {text.why}
          </button>
        </>
      )}
    </span>
  );
}

function ClientActions({ client }: { client: ClientInfo }): JSX.Element {
  const path = `api/clients/${client.id}`;
  const { actions: text } = texts.clients;
  return (
    <div class="action-list">
      <button
        type="button"
        class="button small"
        onClick={() => void actOn(client.drained ? "resume" : "drain", [client.id])}
      >
        {client.drained ? text.resume : text.drain}
      </button>
      {client.connected && (
        <button type="button" class="button small" onClick={() => void act("POST", `${path}/disconnect`)}>
          {text.disconnect}
        </button>
      )}
      <DangerButton
        label={text.ban}
        title={text.banTitle(shownName(client.name))}
        text={text.banText}
        verb={text.banVerb}
        yes={() => void act("POST", `${path}/ban`)}
      />
    </div>
  );
}

function NoClients(): JSX.Element {
  return (
    <div class="empty">
      <p>{texts.clients.none}</p>
      <pre>{`npx manyhands client --server ${new URL(".", location.href).href}`}</pre>
    </div>
  );
}
