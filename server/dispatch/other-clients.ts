import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { ServerDirectory } from "../server-directory.ts";

/** Lists that are this old are asked for again. */
const freshMs = 1000;

/** The clients of the other servers, as these list them. */
export class OtherClients {
  readonly #directory: Pick<ServerDirectory, "ask">;
  #lists: readonly ClientInfo[][] = [];
  #askedAt = -Infinity;

  constructor(directory: Pick<ServerDirectory, "ask">) {
    this.#directory = directory;
  }

  /** Asks the other servers. @returns names of those that did not answer */
  async ask(): Promise<readonly string[]> {
    this.#askedAt = performance.now();
    const { answers, silent } = await this.#directory.ask<ClientInfo[]>("/api/clients?of=own");
    this.#lists = answers;
    return silent;
  }

  /** The last lists, joined with that of this server; asks for newer ones meanwhile. */
  joinedLately(own: readonly ClientInfo[]): ClientInfo[] {
    if (performance.now() - this.#askedAt > freshMs) void this.ask();
    return this.joined(own);
  }

  /** The last lists, joined with that of this server. */
  joined(own: readonly ClientInfo[]): ClientInfo[] {
    return joinClients([own, ...this.#lists]);
  }
}

/** Lists of clients as one: a client that went from server to server stands once, with all that it computed. */
export function joinClients(lists: readonly (readonly ClientInfo[])[]): ClientInfo[] {
  const joined = new Map<string, ClientInfo>();
  for (const client of lists.flat()) {
    const known = joined.get(client.id);
    if (!known) joined.set(client.id, client);
    else {
      const [done, failed] = [known.done + client.done, known.failed + client.failed];
      joined.set(client.id, { ...(isNewer(client, known) ? client : known), done, failed });
    }
  }
  return [...joined.values()].toSorted(
    (a, b) => Number(b.connected) - Number(a.connected) || b.connectedAt - a.connectedAt,
  );
}

function isNewer(a: ClientInfo, b: ClientInfo): boolean {
  return a.connected === b.connected ? a.connectedAt > b.connectedAt : a.connected;
}
