import { limits } from "../shared/limits.ts";
import { version as ownVersion } from "../shared/version.ts";
import type { ClientInfo, ClientQuery, clientSorts } from "../shared/wire/rest/clients.ts";

type Sort = (typeof clientSorts)[number];

/** A client is failing when this share of its tasks failed or was lost. */
const failingShare = 0.1;

const keys: Record<Sort, (client: ClientInfo) => string | number> = {
  joined: ({ connectedAt }) => connectedAt,
  name: ({ name }) => name.toLowerCase(),
  kind: ({ kind }) => kind,
  slots: ({ slots }) => slots,
  leases: ({ leases }) => leases,
  taskMs: ({ taskMs }) => taskMs ?? -1,
  done: ({ done }) => done,
  failed: ({ failed }) => failed,
  lost: ({ lost }) => lost,
  checked: ({ checked }) => checked,
  cache: ({ cacheHitRatio }) => cacheHitRatio ?? -1,
  lastSeen: ({ connected, lastSeenAt }) => (connected ? Infinity : lastSeenAt),
  version: ({ version }) => version,
};

/** Clients that match a query, in its order, from its cursor on (SPEC.md [CLIENTS-1]). */
export function pageOfClients(
  clients: readonly ClientInfo[],
  query: ClientQuery,
): { clients: ClientInfo[]; count: number; next?: string } {
  const found = sortClients(
    clients.filter((client) => matches(client, query)),
    query,
  );
  const from = Number(query.cursor ?? 0);
  const to = from + (query.limit ?? limits.jobsPerPage);
  return {
    clients: found.slice(from, to),
    count: found.length,
    ...(to < found.length && { next: String(to) }),
  };
}

/** Without a sort: the connected ones first, among them the busiest. */
export function sortClients(clients: readonly ClientInfo[], { sort, order }: ClientQuery): ClientInfo[] {
  if (sort === undefined)
    return clients.toSorted(
      (a, b) =>
        Number(b.connected) - Number(a.connected) || b.leases - a.leases || a.connectedAt - b.connectedAt,
    );
  const key = keys[sort];
  const up = (order ?? (typeof key(sample) === "string" ? "asc" : "desc")) === "asc" ? 1 : -1;
  return clients
    .map((client) => ({ client, at: key(client) }))
    .toSorted((a, b) => (a.at < b.at ? -up : a.at > b.at ? up : a.client.id < b.client.id ? -1 : 1))
    .map(({ client }) => client);
}

function matches(client: ClientInfo, { search = "", state, kind }: ClientQuery): boolean {
  if (kind !== undefined && client.kind !== kind) return false;
  if (state !== undefined && !isIn(client, state)) return false;
  if (search.trim() === "") return true;
  const texts = `${client.name}\n${client.address}\n${client.version}\n${client.id}`.toLowerCase();
  return search
    .toLowerCase()
    .trim()
    .split(/\s+/)
    .every((word) => texts.includes(word));
}

function isIn(
  { connected, leases, drained, done, failed, lost, version }: ClientInfo,
  state: NonNullable<ClientQuery["state"]>,
): boolean {
  switch (state) {
    case "connected":
      return connected;
    case "gone":
      return !connected;
    case "busy":
      return connected && leases > 0;
    case "idle":
      return connected && leases === 0;
    case "drained":
      return drained;
    case "failing":
      return failed + lost > 0 && failed + lost >= failingShare * (done + failed + lost);
    case "outdated":
      return connected && version !== ownVersion;
  }
}

/** Stands for any client: tells the type of a key. */
const sample = { name: "", kind: "node", version: "" } as ClientInfo;
