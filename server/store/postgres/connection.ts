import { createHash } from "node:crypto";
import { Client } from "pg";
import { messageOf } from "../../../shared/errors.ts";
import type { Answer, Query, SqlValue } from "../sql/database.ts";
import { readBinaryRows } from "./binary-rows.ts";
import { isBinary, types } from "./columns.ts";
import { ConnectionLost } from "./failure.ts";
import { translate } from "./translate.ts";

/** A batch that takes longer than this went to a database that is gone: waiting for a lock ends sooner. */
const answerMs = 15_000;
const connectMs = 10_000;

/** Address of PostgreSQL. Parts that the URL lacks come from PGHOST, PGUSER, PGPASSWORD and so on. */
export interface Target {
  readonly url: string;
  /** Settings that the statement `SET` gives each session. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A prepared statement: a session parses each text once. */
interface Prepared {
  readonly name: string;
  readonly text: string;
  /** Whether rows come in binary form; known after the first answer. */
  binary: boolean;
}

/** Prepared statements by their texts in the shared SQL. */
const prepared = new Map<string, Prepared>();

function prepare(sql: string): Prepared {
  let statement = prepared.get(sql);
  if (!statement) {
    const text = translate(sql);
    const name = `mh_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
    prepared.set(sql, (statement = { name, text, binary: false }));
  }
  return statement;
}

/** A text of PostgreSQL cannot hold the character NUL. */
function textOf(value: SqlValue): SqlValue {
  return typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value;
}

/** A session. Statements of a batch take one round trip. */
export class Connection {
  readonly #client: Client;
  readonly #readsBinary: () => boolean;
  #lost: ConnectionLost | undefined;
  /** Called once when the session ends by itself. */
  onLost: () => void = () => {};
  onNotification: (payload: string) => void = () => {};

  private constructor(client: Client) {
    this.#client = client;
    this.#readsBinary = readBinaryRows(client);
    client.on("error", (error) => this.#lose(messageOf(error)));
    client.on("end", () => this.#lose("the connection ended"));
    client.on("notification", ({ payload = "" }) => this.onNotification(payload));
  }

  static async open({ url, settings }: Target): Promise<Connection> {
    const client = new Client({
      connectionString: url,
      types,
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: connectMs,
      fallback_application_name: "manyhands",
    });
    const connection = new Connection(client);
    try {
      await client.connect();
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    // Settings are set by a query: PgBouncer refuses settings in the packet that opens the session.
    const sets = Object.entries(settings).map((values) => ({
      sql: "SELECT set_config(?, ?, false)",
      values,
    }));
    try {
      await connection.run(sets);
    } catch (error) {
      await connection.close();
      throw error;
    }
    return connection;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /**
   * Runs statements one after the other, in one round trip. Inside a transaction the statements after a failed one have no effect.
   * @throws the failure of the first statement that fails
   */
  async run(batch: readonly Query[]): Promise<Answer[]> {
    if (this.#lost) throw this.#lost;
    const stream = this.#stream();
    stream.cork();
    const answers = batch.map(({ sql, values }) => {
      const statement = prepare(sql);
      const { name, text } = statement;
      const query = {
        name,
        text,
        values: values.map(textOf),
        binary: statement.binary && this.#readsBinary(),
      };
      return this.#client.query(query).then(
        ({ rows, rowCount, command, fields }) => {
          statement.binary ||= isBinary(fields);
          return { rows: rows as unknown[], changed: rowCount ?? 0, command };
        },
        (error: unknown) => {
          throw this.#lost ?? error;
        },
      );
    });
    stream.uncork();
    const ended = await this.#inTime(Promise.allSettled(answers));
    const failed = ended.find((one) => one.status === "rejected");
    if (failed) throw failed.reason;
    return ended.map((one) => (one as PromiseFulfilledResult<Answer>).value);
  }

  /** Runs one statement. */
  async query<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    const [answer] = await this.run([{ sql, values }]);
    return answer!.rows as Row[];
  }

  /** Runs statements without values: schema and transactions. */
  async script(sql: string): Promise<void> {
    if (this.#lost) throw this.#lost;
    await this.#inTime(
      this.#client.query(translate(sql)).catch((error: unknown) => {
        throw this.#lost ?? error;
      }),
    );
  }

  /** Gives the session up when an answer takes too long. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const late = setTimeout(() => this.#lose("PostgreSQL did not answer"), answerMs);
    try {
      return await answer;
    } finally {
      clearTimeout(late);
    }
  }

  close(): Promise<void> {
    this.onLost = () => {};
    return this.#lost ? Promise.resolve() : this.#client.end().catch(() => {});
  }

  #lose(why: string): void {
    if (this.#lost) return;
    this.#lost = new ConnectionLost(`the connection was lost: ${why}`);
    this.#stream().destroy();
    this.onLost();
  }

  #stream(): Stream {
    return (this.#client as unknown as { connection: { stream: Stream } }).connection.stream;
  }
}

interface Stream {
  cork(): void;
  uncork(): void;
  destroy(): void;
}
