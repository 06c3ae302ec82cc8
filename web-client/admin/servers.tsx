import type { JSX } from "preact";
import type { ServerInfo } from "../../shared/wire/rest/status.ts";
import { formatCount, formatRate } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";
import { texts } from "./texts/current.ts";

/** A server that is this late with its sign of life is marked. */
const lateMs = 3000;
const lagShownMs = 100;

/** The servers that share the jobs, where there are several. */
export function Servers({ servers }: { servers: readonly ServerInfo[] }): JSX.Element | null {
  if (servers.length < 2) return null;
  const live = servers.filter((server) => server.live).length;
  const text = texts.overview.servers;
  return (
    <section class="card panel" aria-labelledby="servers">
      <div class="panel-head">
        <h2 id="servers">{texts.counts.servers(live)}</h2>
      </div>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{text.server}</th>
            <th scope="col">{text.state}</th>
            <th scope="col" class="number">
              {text.clients}
            </th>
            <th scope="col" class="number">
              {text.tasks}
            </th>
            <th scope="col" class="number">
              {text.rate}
            </th>
            <th scope="col" class="number">
              {text.lag}
            </th>
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => (
            <ServerRow key={`${server.since} ${server.url}`} server={server} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ServerRow({ server }: { server: ServerInfo }): JSX.Element {
  const { name, url, live, silentMs, version, clients, slots, tasks, claimed, rate, lagMs } = server;
  const text = texts.overview.servers;
  return (
    <tr>
      <th scope="row" data-label={text.server}>
        <span class="strong">{shownName(url ?? name)}</span>
        <span class="muted sub">
          {shownName(name)}
          {version !== null && `, ${version}`}
        </span>
      </th>
      <td data-label={text.state}>{stateOf(live, silentMs)}</td>
      <td data-label={text.clients} class="number">
        {formatCount(live ? clients : 0)}
        <span class="muted sub">{texts.counts.slots(live ? slots : 0)}</span>
      </td>
      <td data-label={text.tasks} class="number">
        {formatCount(live ? tasks : 0)}
        <span class="muted sub">{text.claimed(formatCount(live ? claimed : 0))}</span>
      </td>
      <td data-label={text.rate} class="number">
        {live ? formatRate(rate) : "–"}
      </td>
      <td data-label={text.lag} class="number">
        <span class={live && lagMs >= lagShownMs ? "bad" : ""}>
          {live ? `${formatCount(Math.round(lagMs))} ms` : "–"}
        </span>
      </td>
    </tr>
  );
}

function stateOf(live: boolean, silentMs: number): JSX.Element {
  const seconds = Math.round(silentMs / 1000);
  const text = texts.overview.servers;
  if (!live) return <span class="bad">{text.gone(seconds)}</span>;
  if (silentMs > lateMs) return <span class="bad">{text.silent(seconds)}</span>;
  return <span>{text.alive}</span>;
}
