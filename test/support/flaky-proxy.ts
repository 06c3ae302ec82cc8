import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** Number of bytes of replies after which a connection is cut; undefined: never. */
type CutPolicy = (connection: number) => number | undefined;

/** A TCP proxy that loses replies after the server has done the work. */
export class FlakyProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #frozen = false;
  /** Connections that are silent for good. */
  readonly #dead = new Set<Socket>();
  #swallowing = false;
  /** Applies to later connections. */
  cutAfter: CutPolicy;
  cuts = 0;
  /** The next request whose first line matches is executed by the server, and its reply is lost. */
  loseReplyTo: RegExp | undefined;
  connections = 0;
  /** First lines of the forwarded requests. */
  readonly requests: string[] = [];

  private constructor(targetPort: number, cutAfter: CutPolicy) {
    this.cutAfter = cutAfter;
    this.#server = createServer((customer) => this.#join(customer, connect(targetPort, "127.0.0.1")));
  }

  static async start(target: string, cutAfter: CutPolicy = () => undefined): Promise<FlakyProxy> {
    const proxy = new FlakyProxy(Number(new URL(target).port), cutAfter);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Holds all bytes back without closing a connection, as a network that drops packets. New connections open, because the
   * remote system accepts them, and stay silent.
   */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Releases the held bytes, as retransmission does when a network is back. */
  thaw(): void {
    this.#frozen = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /**
   * Drops all bytes from now on, in both directions and without an error, as a router that forgot its connections. New
   * connections open and are dead as well, until {@link heal}.
   */
  swallow(): void {
    this.#swallowing = true;
    for (const socket of this.#sockets) this.#dead.add(socket);
  }

  /** New connections work again; dead ones stay dead. */
  heal(): void {
    this.#swallowing = false;
  }

  /** Cuts every open connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#server.close();
    this.cutAll();
    await once(this.#server, "close");
  }

  #join(customer: Socket, server: Socket): void {
    let left = this.cutAfter(this.connections++);
    this.#sockets.add(customer).add(server);
    if (this.#swallowing) this.#dead.add(customer).add(server);
    const cut = (): void => {
      customer.resetAndDestroy();
      server.destroy();
    };
    server.on("data", (bytes: Buffer) => {
      if (this.#dead.has(server)) return;
      if (left === undefined || bytes.length <= left) {
        if (left !== undefined) left -= bytes.length;
        customer.write(bytes);
        return;
      }
      this.cuts++;
      customer.write(bytes.subarray(0, left), cut);
      left = 0;
    });
    customer.on("data", (bytes: Buffer) => {
      if (this.#dead.has(customer)) return;
      const lines = bytes.toString("latin1").match(/^(?:GET|HEAD|POST|PUT|DELETE) \S+/gm) ?? [];
      this.requests.push(...lines);
      if (lines.some((line) => this.loseReplyTo?.test(line))) {
        this.loseReplyTo = undefined;
        left = 0;
      }
      server.write(bytes);
    });
    // A data listener makes a socket flow.
    if (this.#frozen) for (const socket of [customer, server]) socket.pause();
    for (const [one, other] of [
      [customer, server],
      [server, customer],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("end", () => other.end());
      one.on("close", () => {
        this.#dead.delete(one);
        other.destroy();
        this.#sockets.delete(one);
      });
    }
  }
}
