import { setTimeout as wait } from "node:timers/promises";
import type { Step } from "../sql/database.ts";
import { Connection, type Target } from "./connection.ts";
import { drive } from "./database.ts";
import { isConnectionLost, isUnreachable } from "./failure.ts";

/** Sessions for reading. Statements of several reads take turns in one. */
const sessions = 4;

/** A read waits this long for a database that is down, or restarts. */
const patienceMs = 10_000;
const reconnectMs = 100;

interface Session {
  connection: Promise<Connection>;
  /** Statements under way. */
  busy: number;
}

/** Sessions that read committed rows beside the session that writes. */
export class Readers {
  readonly #target: Target;
  readonly #sessions: Session[] = [];

  constructor(target: Target) {
    this.#target = target;
  }

  /** Reads, and begins again when the session is lost. */
  async run<T>(read: () => Step<T>): Promise<T> {
    for (const until = performance.now() + patienceMs; ;) {
      try {
        return await this.#read(read());
      } catch (error) {
        if (!(isConnectionLost(error) || isUnreachable(error)) || performance.now() > until) throw error;
        await wait(reconnectMs);
      }
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#sessions.map(async ({ connection }) => (await connection).close()));
  }

  async #read<T>(step: Step<T>): Promise<T> {
    const session = this.#next();
    session.busy++;
    try {
      const connection = await session.connection;
      return await drive(step, async (query) => (await connection.run([query]))[0]!);
    } catch (error) {
      if (isConnectionLost(error) || isUnreachable(error)) this.#drop(session);
      throw error;
    } finally {
      session.busy--;
    }
  }

  /** An idle session, or a new one, or the one with least to do. */
  #next(): Session {
    const [least] = this.#sessions.toSorted((a, b) => a.busy - b.busy);
    if (least && (least.busy === 0 || this.#sessions.length >= sessions)) return least;
    const session = { connection: Connection.open(this.#target), busy: 0 };
    session.connection.catch(() => this.#drop(session));
    this.#sessions.push(session);
    return session;
  }

  #drop(session: Session): void {
    const at = this.#sessions.indexOf(session);
    if (at >= 0) this.#sessions.splice(at, 1);
  }
}
