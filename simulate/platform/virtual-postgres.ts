import { Client } from "pg";
import type { SqlValue } from "../../server/store/sql/database.ts";
import { Flow, type Host, type Network } from "./network.ts";
import type { PostgresModel, Reply, Request, Session, SessionClient } from "./postgres-model.ts";
import type { Process } from "./virtual-time.ts";

/** A database as the servers of a world reach it. */
export interface ReachableDatabase {
  readonly model: PostgresModel;
  readonly network: Network;
  /** The machine of this name. */
  hostOf(name: string): Host;
  opened(end: ClientEnd): void;
}

const timeoutMs = 10_000;
const ends = new WeakMap<Client, ClientEnd>();

/** Gives the clients of `pg` in this thread the database of the world that runs. The code above `pg` is the real code. */
export function virtualisePostgres(database: () => ReachableDatabase): void {
  Object.assign(Client.prototype, {
    connect(this: Client): Promise<void> {
      const end = new ClientEnd(this, database());
      ends.set(this, end);
      Object.assign(this, { connection: { stream: end.stream } });
      return end.connect();
    },
    query(
      this: Client,
      asked: string | { text: string; values: SqlValue[] },
      given: SqlValue[] = [],
    ): Promise<Reply> {
      const { text, values } = typeof asked === "string" ? { text: asked, values: given } : asked;
      return ends.get(this)!.query({ text, values });
    },
    end(this: Client): Promise<void> {
      return ends.get(this)?.close() ?? Promise.resolve();
    },
  });
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** The client's end of a session with the database. */
export class ClientEnd implements SessionClient {
  readonly process: Process;
  readonly stream = { cork() {}, uncork() {}, destroy: () => this.#destroy() };
  readonly #client: Client;
  readonly #database: ReachableDatabase;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #waiting: Waiting[] = [];
  #session: Session | undefined;
  #unsent: Request[] = [];
  #isOpen = false;
  #isOver = false;

  constructor(client: Client, database: ReachableDatabase) {
    this.#client = client;
    this.#database = database;
    const { network, model } = database;
    this.process = model.time.current;
    const host = database.hostOf(client.host);
    this.#up = new Flow(network, host);
    this.#down = new Flow(network, host);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  connect(): Promise<void> {
    const { model } = this.#database;
    const { process } = this;
    return new Promise((resolve, reject) => {
      const refuse = (error: Error): void => {
        this.#isOver = true;
        timeout.run = undefined;
        reject(error);
      };
      const refused = (): Error => Object.assign(new Error("connect ECONNREFUSED"), { syscall: "connect" });
      const timeout = model.time.schedule(process, timeoutMs, "connection timeout", () =>
        refuse(new Error("timeout expired")),
      );
      this.#up.send(model.process, "session opened", () => {
        if (this.#isOver || !process.isAlive) return;
        if (!model.isUp) return this.#down.send(process, "session refused", () => refuse(refused()));
        this.#session = model.open(this);
        this.#database.opened(this);
        this.#down.send(process, "session opened", () => {
          if (this.#isOver) return;
          timeout.run = undefined;
          this.#isOpen = true;
          resolve();
        });
      });
    });
  }

  query(request: Request): Promise<Reply> {
    if (!this.process.isAlive) return new Promise(() => {});
    if (this.#isOver || !this.#isOpen) return Promise.reject(new Error("Connection terminated"));
    if (this.#unsent.length === 0) queueMicrotask(() => this.#send());
    this.#unsent.push(request);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends the session in good order. */
  close(): Promise<void> {
    if (!this.#isOver && this.process.isAlive) {
      this.#isOver = true;
      this.#tellEnd();
    }
    return Promise.resolve();
  }

  replied(outcomes: readonly (Reply | Error)[]): void {
    this.#down.send(this.process, `answers ${outcomes.length}`, () => {
      if (this.#isOver) return;
      for (const outcome of outcomes) {
        const waiting = this.#waiting.shift()!;
        if (outcome instanceof Error) waiting.reject(outcome);
        else waiting.resolve(outcome);
      }
    });
  }

  notified(payload: string): void {
    this.#down.send(this.process, "notification", () => {
      if (!this.#isOver) this.#client.emit("notification", { payload });
    });
  }

  ended(fatal: Error | undefined): void {
    this.#down.send(this.process, "session ended", () => this.#lose(fatal));
  }

  /** Breaks the connection. Statements and answers under way are lost. */
  break(how: "both" | "client" | "server" | "neither"): void {
    const { model } = this.#database;
    this.#up.isSilent = true;
    this.#down.isSilent = true;
    if (how === "both" || how === "client")
      model.time.schedule(this.process, 100 * model.random(), "session broke", () => this.#lose(undefined));
    if (how === "both" || how === "server")
      model.time.schedule(model.process, 100 * model.random(), "session broke", () => this.#session?.end());
  }

  #send(): void {
    const requests = this.#unsent;
    this.#unsent = [];
    if (!this.process.isAlive || this.#isOver) return;
    this.#up.send(this.#database.model.process, `statements ${requests.length}`, () =>
      this.#session?.received(requests),
    );
  }

  #lose(fatal: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = new Error("Connection terminated unexpectedly");
    this.#waiting.shift()?.reject(fatal ?? error);
    this.#client.emit("error", error);
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#client.emit("end");
  }

  #destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("Connection terminated"));
    this.#tellEnd();
  }

  #tellEnd(): void {
    this.#up.send(this.#database.model.process, "session closed", () => this.#session?.end());
  }
}
