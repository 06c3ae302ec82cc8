import type { JSX } from "preact";
import type { ServerInfo } from "../../shared/wire/rest/status.ts";
import { formatCount, formatRate, plural } from "../ui/format.ts";
import { shownName } from "../ui/shown-name.ts";

/** A server that is this late with its sign of life is marked. */
const lateMs = 3000;
const lagShownMs = 100;

/** The servers that share the jobs, where there are several. */
export function Servers({ servers }: { servers: readonly ServerInfo[] }): JSX.Element | null {
  if (servers.length < 2) return null;
  const live = servers.filter((server) => server.live).length;
  return (
    <section class="card panel" aria-labelledby="servers">
      <div class="panel-head">
        <h2 id="servers">{plural(live, "server")}</h2>
      </div>
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Server</th>
            <th scope="col">State</th>
            <th scope="col" class="number">
              Clients
            </th>
            <th scope="col" class="number">
              Tasks
            </th>
            <th scope="col" class="number">
              Rate
            </th>
            <th scope="col" class="number">
              Lag
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
  return (
    <tr>
      <th scope="row" data-label="Server">
        <span class="strong">{shownName(url ?? name)}</span>
        <span class="muted sub">
          {shownName(name)}
          {version !== null && `, ${version}`}
        </span>
      </th>
      <td data-label="State">{stateOf(live, silentMs)}</td>
      <td data-label="Clients" class="number">
        {formatCount(live ? clients : 0)}
        <span class="muted sub">{plural(live ? slots : 0, "slot")}</span>
      </td>
      <td data-label="Tasks" class="number">
        {formatCount(live ? tasks : 0)}
        <span class="muted sub">{formatCount(live ? claimed : 0)} claimed</span>
      </td>
      <td data-label="Rate" class="number">
        {live ? formatRate(rate) : "–"}
      </td>
      <td data-label="Lag" class="number">
        <span class={live && lagMs >= lagShownMs ? "bad" : ""}>{live ? `${Math.round(lagMs)} ms` : "–"}</span>
      </td>
    </tr>
  );
}

function stateOf(live: boolean, silentMs: number): JSX.Element {
  const seconds = Math.round(silentMs / 1000);
  if (!live) return <span class="bad">gone for {plural(seconds, "second")}</span>;
  if (silentMs > lateMs) return <span class="bad">silent for {plural(seconds, "second")}</span>;
  return <span>alive</span>;
}
