import { createHash } from "node:crypto";
import { Client, type CustomTypesConfig } from "pg";
import { messageOf } from "../../../shared/errors.ts";
import type { Answer, Query, SqlValue } from "../sql/database.ts";
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

const parsers: Record<number, (text: string) => unknown> = {
  16: (text) => text === "t",
  17: bytesOf,
  20: Number,
  21: Number,
  23: Number,
  26: Number,
  1700: Number,
};

const asText = (text: string): string => text;

const types: CustomTypesConfig = {
  getTypeParser: (type: number) => parsers[type] ?? asText,
};

function bytesOf(text: string): Uint8Array {
  const bytes = Buffer.from(text.slice(2), "hex");
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Names of prepared statements: a session parses each text once. */
const names = new Map<string, string>();

function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = `mh_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`;
    names.set(text, name);
  }
  return name;
}

/** A text of PostgreSQL cannot hold the character NUL. */
function textOf(value: SqlValue): SqlValue {
  return typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\uFFFD") : value;
}

/** A session. Statements of a batch take one round trip. */
export class Connection {
  readonly #client: Client;
  #lost: ConnectionLost | undefined;
  /** Called once when the session ends by itself. */
  onLost: () => void = () => {};
  onNotification: (payload: string) => void = () => {};

  private constructor(client: Client) {
    this.#client = client;
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
    // Not in the packet that opens the session: PgBouncer refuses settings there.
    for (const [name, value] of Object.entries(settings))
      await client.query("SELECT set_config($1, $2, false)", [name, value]);
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
      const text = translate(sql);
      const query = { name: nameOf(text), text, values: values.map(textOf) };
      return this.#client.query(query).then(
        ({ rows, rowCount, command }) => ({ rows: rows as unknown[], changed: rowCount ?? 0, command }),
        (error: unknown) => {
          throw this.#lost ?? error;
        },
      );
    });
    stream.uncork();
    const late = setTimeout(() => this.#lose("PostgreSQL did not answer"), answerMs);
    try {
      const ended = await Promise.allSettled(answers);
      const failed = ended.find((one) => one.status === "rejected");
      if (failed) throw failed.reason;
      return ended.map((one) => (one as PromiseFulfilledResult<Answer>).value);
    } finally {
      clearTimeout(late);
    }
  }

  /** Runs one statement. */
  async query<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    const [answer] = await this.run([{ sql, values }]);
    return answer!.rows as Row[];
  }

  /** Runs statements without values: schema and transactions. */
  async script(sql: string): Promise<void> {
    if (this.#lost) throw this.#lost;
    await this.#client.query(translate(sql));
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
