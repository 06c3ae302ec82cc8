import { connect, createServer, type AddressInfo, type Server } from "node:net";

/** A chunk of bytes from the server, and the time of its arrival in ms since the epoch. */
interface Transferred {
  readonly at: number;
  readonly bytes: number;
}

/** Passes connections on to a server and notes every chunk that comes back, heads of replies and frames included. */
export class CountingProxy {
  readonly #chunks: Transferred[] = [];
  readonly #server: Server;

  private constructor(target: { host: string; port: number }) {
    this.#server = createServer((near) => {
      const far = connect(target.port, target.host);
      near.on("error", () => far.destroy()).pipe(far);
      far.on("error", () => near.destroy()).pipe(near);
      far.on("data", ({ length }: Buffer) => this.#chunks.push({ at: Date.now(), bytes: length }));
    });
  }

  static async open(url: string): Promise<{ proxy: CountingProxy; port: number }> {
    const proxy = new CountingProxy({ host: "127.0.0.1", port: Number(new URL(url).port) });
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return { proxy, port: (proxy.#server.address() as AddressInfo).port };
  }

  close(): void {
    this.#server.close();
  }

  /** Bytes that came before a moment (ms since the epoch). */
  before(at: number): number {
    return this.#chunks.filter((chunk) => chunk.at <= at).reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
