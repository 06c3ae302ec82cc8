import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Postgres } from "./postgres.ts";

const socketName = ".s.PGSQL.5432";

/** A wire between a server and PostgreSQL that a test can cut: nothing passes, and nobody is told. */
export class PostgresProxy {
  readonly #directory: string;
  readonly #postgres: Postgres;
  readonly #server: Server;
  readonly #ends = new Set<Socket>();
  #isCut = false;

  private constructor(postgres: Postgres, directory: string) {
    this.#postgres = postgres;
    this.#directory = directory;
    this.#server = createServer((from) => this.#pass(from));
  }

  static async start(postgres: Postgres): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(postgres, await mkdtemp(join(tmpdir(), "manyhands-wire-")));
    proxy.#server.listen(join(proxy.#directory, socketName));
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** An address of the database that leads through the wire. */
  through(url: string): string {
    return url.replace(encodeURIComponent(this.#postgres.directory), encodeURIComponent(this.#directory));
  }

  cut(): void {
    this.#isCut = true;
    for (const end of this.#ends) end.pause();
  }

  mend(): void {
    this.#isCut = false;
    for (const end of this.#ends) end.resume();
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) end.destroy();
    this.#server.close();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #pass(from: Socket): void {
    const to = connect(join(this.#postgres.directory, socketName));
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#ends.add(one);
      one.on("data", (bytes) => other.write(bytes));
      one.on("end", () => other.end());
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#ends.delete(one);
        other.destroy();
      });
      if (this.#isCut) one.pause();
    }
  }
}
