import type { Exchange } from "./requests.ts";
import type { ServerProcess } from "./server-process.ts";
import type { SocketLink } from "./socket-link.ts";
import { Process } from "./virtual-time.ts";
import type { Volunteer } from "./volunteer.ts";

/** A place on the network where a server serves: at any time one process or none. */
export class ServerPlace {
  readonly name: string;
  server: ServerProcess | undefined;
  process: Process;
  /** The client that the server starts beside itself, and its token. */
  auditor: { readonly tokenId: string; readonly volunteer: Volunteer } | undefined;
  /** Time before which no packet passes between the server and its database. */
  cutUntil = 0;
  #lives = 0;
  #links: SocketLink[] = [];
  #exchanges: Exchange[] = [];

  constructor(name: string) {
    this.name = name;
    this.process = new Process(name);
  }

  /** The process of the next server. */
  nextLife(): Process {
    this.process = new Process(`${this.name}.${++this.#lives}`);
    return this.process;
  }

  addLink(link: SocketLink): void {
    this.#links = this.links;
    this.#links.push(link);
  }

  addExchange(exchange: Exchange): void {
    this.#exchanges = this.#exchanges.filter(({ isOver }) => !isOver);
    this.#exchanges.push(exchange);
  }

  get links(): SocketLink[] {
    return this.#links.filter(({ isOpen }) => isOpen);
  }

  clientGone(client: Process, isTold: boolean): void {
    for (const link of this.#links) if (link.isOf(client)) link.clientGone(isTold);
  }

  /** The server's process ended. */
  end(isTold: boolean): void {
    this.process.isAlive = false;
    this.server = undefined;
    for (const link of this.#links) link.serverGone(isTold);
    this.#links = [];
    for (const exchange of this.#exchanges) exchange.serverGone(isTold);
    this.#exchanges = [];
    if (this.auditor?.volunteer.process.isAlive) this.auditor.volunteer.kill(false);
  }
}
