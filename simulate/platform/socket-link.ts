import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { TransportConnection, TransportHandlers } from "../../shared/client/ports.ts";
import { Flow, type Host, type Network } from "./network.ts";
import type { Process } from "./virtual-time.ts";

/** Takes the connections of clients: a server that runs. */
export interface Acceptor {
  readonly process: Process;
  accept(socket: WebSocket, network: Duplex, address: string): void;
}

/** Kinds of broken connections, by the ends that are told. */
export type Break = "both" | "client" | "server" | "neither";

/** The bytes of a ping or pong. */
const nothing = Buffer.alloc(0);

/**
 * A WebSocket between a client and a server. The server's end has the interface of `ws` as far as the server uses it, the client's
 * that of its transport port.
 */
export class SocketLink {
  readonly #network: Network;
  readonly #client: { readonly process: Process; readonly handlers: TransportHandlers; isOpen: boolean };
  readonly #acceptor: Acceptor | undefined;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #socket: ServerSocket;

  constructor(
    network: Network,
    host: Host,
    client: Process,
    handlers: TransportHandlers,
    acceptor: Acceptor | undefined,
  ) {
    this.#network = network;
    this.#client = { process: client, handlers, isOpen: true };
    this.#acceptor = acceptor;
    this.#up = new Flow(network, host);
    this.#down = new Flow(network, host);
    this.#socket = new ServerSocket(this);
    if (acceptor?.process.isAlive) this.#openTo(acceptor, host);
    else this.#toClientEnd(1006, "connection refused");
  }

  #openTo(acceptor: Acceptor, host: Host): void {
    const network = this.#network;
    const { process: client, handlers } = this.#client;
    this.#up.send(acceptor.process, "socket opened", () => {
      this.#socket.open();
      acceptor.accept(this.#socket as unknown as WebSocket, this.#socket.network as Duplex, host.address);
      this.#down.send(client, "socket opened", () => this.#client.isOpen && handlers.opened());
    });
    if (network.happens(network.rates.drop)) this.#dropLater();
  }

  #dropLater(): void {
    const { time, random } = this.#network;
    time.schedule(time.current, 20_000 * random() ** 2, "misfortune", () => this.drop());
  }

  /** Whether either end still takes this for a connection. */
  get isOpen(): boolean {
    return this.#client.isOpen || this.#socket.readyState < 3;
  }

  isOf(client: Process): boolean {
    return this.#client.process === client;
  }

  /** The client's end. */
  readonly connection: TransportConnection = {
    send: (frame) => {
      this.#network.time.trace.bytes(frame);
      this.#toServer(`frame ${frame.length} up`, () => this.#socket.received(frame));
    },
    bufferedBytes: 0,
    close: (code, reason) => {
      if (!this.#client.isOpen) return;
      this.#client.isOpen = false;
      this.#toServer("socket closed", () => this.#socket.ended(code, reason));
      const { process, handlers } = this.#client;
      this.#network.time.schedule(process, 1, "socket closed", () => handlers.closed(code, reason));
    },
  };

  sendDown(frame: Uint8Array): void {
    this.#network.time.trace.bytes(frame);
    const { process, handlers } = this.#client;
    this.#down.send(process, `frame ${frame.length} down`, () => {
      if (this.#client.isOpen) handlers.received(frame);
    });
  }

  pingDown(): void {
    const { process, handlers } = this.#client;
    this.#down.send(process, "ping", () => {
      if (!this.#client.isOpen) return;
      handlers.heard();
      this.#toServer("pong", () => this.#socket.ponged());
    });
  }

  closeDown(code: number, reason: string): void {
    this.#toClientEnd(code, reason);
    // The client's end answers with its own close frame.
    this.#down.send(this.#client.process, "close frame", () =>
      this.#toServer("close frame", () => this.#socket.ended(code, reason)),
    );
  }

  /** The server's end was cut without a close frame. */
  cutDown(): void {
    this.#toClientEnd(1006, "");
  }

  /** Breaks the connection. Messages under way are lost. */
  break(how: Break): void {
    const { time, random } = this.#network;
    this.#up.isSilent = true;
    this.#down.isSilent = true;
    if (how === "both" || how === "client") this.#endClient(100 * random(), 1006, "");
    if ((how === "both" || how === "server") && this.#acceptor)
      time.schedule(this.#acceptor.process, 100 * random(), "socket broke", () =>
        this.#socket.ended(1006, ""),
      );
  }

  drop(): void {
    if (!this.isOpen) return;
    const how = (["both", "both", "client", "server", "neither"] as const)[
      Math.floor(5 * this.#network.random())
    ]!;
    this.#network.time.trace.fault(how === "neither" ? "half-open connection" : "dropped connection");
    this.break(how);
  }

  /** The client's process ended. */
  clientGone(isTold: boolean): void {
    this.#client.isOpen = false;
    this.break(isTold ? "server" : "neither");
  }

  /** The server's process ended. */
  serverGone(isTold: boolean): void {
    this.#socket.readyState = 3;
    this.break(isTold ? "client" : "neither");
  }

  #toServer(label: string, deliver: () => void): void {
    if (this.#acceptor) this.#up.send(this.#acceptor.process, label, deliver);
  }

  #toClientEnd(code: number, reason: string): void {
    this.#down.send(this.#client.process, "socket closed", () => this.#closeClient(code, reason));
  }

  #endClient(delayMs: number, code: number, reason: string): void {
    this.#network.time.schedule(this.#client.process, delayMs, "socket broke", () =>
      this.#closeClient(code, reason),
    );
  }

  #closeClient(code: number, reason: string): void {
    if (!this.#client.isOpen) return;
    this.#client.isOpen = false;
    this.#client.handlers.closed(code, reason);
  }
}

/** The used part of a WebSocket of `ws`. */
class ServerSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 0;
  readonly bufferedAmount = 0;
  /** The used part of the TCP connection below. */
  readonly network = Object.assign(new EventEmitter(), { cork() {}, uncork() {} }) as unknown;
  readonly #link: SocketLink;

  constructor(link: SocketLink) {
    super();
    this.#link = link;
  }

  open(): void {
    this.readyState = this.OPEN;
  }

  send(frame: Uint8Array): void {
    if (this.readyState === this.OPEN) this.#link.sendDown(new Uint8Array(frame));
  }

  ping(): void {
    if (this.readyState === this.OPEN) this.#link.pingDown();
  }

  close(code: number, reason: string): void {
    if (this.readyState !== this.OPEN) return;
    this.readyState = 2;
    this.#link.closeDown(code, reason);
  }

  terminate(): void {
    if (this.readyState === 3) return;
    this.#link.cutDown();
    this.readyState = 3;
    setImmediate(() => this.emit("close", 1006, nothing));
  }

  received(frame: Uint8Array): void {
    if (this.readyState !== this.OPEN && this.readyState !== 2) return;
    const bytes = Buffer.from(frame);
    (this.network as EventEmitter).emit("data", bytes);
    this.emit("message", bytes, true);
  }

  ponged(): void {
    if (this.readyState !== this.OPEN) return;
    (this.network as EventEmitter).emit("data", Buffer.alloc(6));
    this.emit("pong", nothing);
  }

  ended(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.emit("close", code, Buffer.from(reason));
  }
}
