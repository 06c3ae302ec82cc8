import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import { pino, type Logger } from "pino";
import type { WebSocket } from "ws";
import { createAccess, type Access } from "../../server/access/access.ts";
import { Identities } from "../../server/access/identities.ts";
import { LocalPlatform } from "../../server/dispatch/local-platform.ts";
import { defaultServerOptions, quotasOf, type ServerOptions } from "../../server/options.ts";
import { checkInvariants } from "../../server/scheduler/invariants.ts";
import { ClientGate } from "../../server/sockets/client-gate.ts";
import { Heartbeats } from "../../server/sockets/heartbeats.ts";
import { SocketConnection } from "../../server/sockets/socket-connection.ts";
import { isShared } from "../../server/store/open.ts";
import type { Store } from "../../server/store/store.ts";
import type { Storage } from "./storage.ts";
import type { Acceptor } from "./socket-link.ts";
import { answer } from "./routes.ts";
import type { Answerer, ServerReply, SimulatedRequest } from "./requests.ts";
import type { Process } from "./virtual-time.ts";

/** Callbacks of a server to its world. */
interface Outside {
  readonly auditors: number;
  readonly isAuditor: (tokenId: string | undefined) => boolean;
  readonly onAuditorsCalled: () => void;
  /** A line of the server's log that tells of a failure. */
  readonly onFailure: (line: string) => void;
}

/** The key of identities, which is on the disk of a server that is alone. */
const identityKey = createHash("sha256").update("identities").digest();

/**
 * A server process, from its start to its end or crash: its real store, dispatcher, scheduler, gate and connections, wired as in
 * server/server.ts.
 */
export class ServerProcess implements Acceptor, Answerer {
  readonly process: Process;
  readonly store: Store;
  readonly platform: LocalPlatform;
  readonly access: Access;
  readonly #connections = new Set<SocketConnection>();
  readonly #heartbeats: Heartbeats<SocketConnection>;
  readonly #gate: ClientGate;
  readonly #log: Logger;
  /** The instructions of the scheduler's newest event that is checked. */
  #checked: unknown;

  private constructor(
    process: Process,
    parts: {
      store: Store;
      access: Access;
      identities: Identities;
      platform: LocalPlatform;
      log: Logger;
      options: ServerOptions;
    },
    { isAuditor, onAuditorsCalled }: Outside,
  ) {
    const { store, access, identities, platform, log, options } = parts;
    this.process = process;
    this.store = store;
    this.access = access;
    this.platform = platform;
    this.#log = log;
    access.onRevoked((tokenId) => platform.tokenRevoked(tokenId));
    access.onRevoked((tokenId) => {
      for (const connection of this.#connections) connection.revoked(tokenId);
    });
    platform.onAuditorsCalled = onAuditorsCalled;
    this.#gate = new ClientGate(access, identities, store, options.volunteers, isAuditor);
    this.#heartbeats = new Heartbeats(this.#connections, options.heartbeatMs, (one) => one.heartbeat());
  }

  /** Starts a server on the stored database and blobs. @throws PlatformError when the disk or database fails */
  static async start(
    process: Process,
    place: string,
    storage: Storage,
    outside: Outside,
  ): Promise<ServerProcess> {
    const options: ServerOptions = { ...defaultServerOptions, auditors: outside.auditors };
    const log = pino({ level: "error", base: null }, { write: outside.onFailure });
    const store = await storage.open(process, place, quotasOf(options));
    const access = createAccess(store);
    const identities = new Identities(isShared(store) ? await store.secret("identities") : identityKey);
    const platform = await LocalPlatform.open({
      store,
      options,
      log,
      volunteerUrls: () => [],
      onTokens: () => access.refresh(),
    });
    return new ServerProcess(process, { store, access, identities, platform, log, options }, outside);
  }

  accept(socket: WebSocket, network: Duplex, address: string): void {
    const services = this.platform.connectionServices(this.#log);
    const connection = new SocketConnection(socket, network, address, this.#gate, services, {
      messageGrew: () => {},
      closed: (ended) => void this.#connections.delete(ended),
    });
    this.#connections.add(connection);
  }

  answer(request: SimulatedRequest, reply: ServerReply): void {
    void answer({ platform: this.platform, access: this.access, log: this.#log }, request, reply);
  }

  /** Whether connections are open. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  checkInvariants(): void {
    const { state } = this.platform.dispatcher.scheduler;
    // The scheduler makes a new list for each event.
    if (state.out === this.#checked) return;
    this.#checked = state.out;
    checkInvariants(state);
  }

  /** Ends as on SIGTERM: stops leasing, tells the clients, and closes the store. */
  async stop(): Promise<void> {
    this.platform.dispatcher.stopLeasing();
    this.#heartbeats.stop();
    for (const connection of this.#connections)
      connection.bye("The server is shutting down; it will be back.", 1000);
    await this.store.close();
  }
}
