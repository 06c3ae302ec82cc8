import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, type QueryResult, type QueryResultRow } from "pg";
import { postgresBinaries } from "../../bench/harness/services/debian.ts";
import { eventually } from "./eventually.ts";
import { skipped } from "./skipped.ts";

/** Whether PostgreSQL is installed, and the end of the names of tests that need it. */
export const hasPostgres = postgresBinaries() !== undefined;
export const whyNoPostgres = skipped(!hasPostgres, "PostgreSQL is not installed");

/** PostgreSQL refuses to run as root. */
const asUser = (program: string, args: readonly string[]): [string, string[]] =>
  process.getuid?.() === 0
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", program, ...args]]
    : [program, [...args]];

/** A PostgreSQL of the tests' own, on a socket in a directory, with its defaults: commits are flushed. */
export class Postgres {
  readonly directory: string;
  readonly #binaries: string;
  #process: ChildProcess | undefined;
  #schemas = 0;

  private constructor(directory: string, binaries: string) {
    this.directory = directory;
    this.#binaries = binaries;
  }

  static async start(): Promise<Postgres> {
    const binaries = postgresBinaries();
    if (binaries === undefined) throw new Error("PostgreSQL is not installed.");
    const directory = await mkdtemp(join(tmpdir(), "manyhands-postgres-"));
    if (process.getuid?.() === 0) await promisify(execFile)("chown", ["postgres:postgres", directory]);
    const flags = [
      "--username",
      "tests",
      "--auth",
      "trust",
      "--encoding",
      "UTF8",
      "--locale",
      "C",
      "--no-sync",
    ];
    const [program, args] = asUser(join(binaries, "initdb"), ["--pgdata", join(directory, "data"), ...flags]);
    await promisify(execFile)(program, args, { cwd: directory });
    const postgres = new Postgres(directory, binaries);
    await postgres.up();
    return postgres;
  }

  /** The address of the database, or of a schema in it. */
  url(schema?: string): string {
    const path = schema === undefined ? "" : `&options=${encodeURIComponent(`-c search_path=${schema}`)}`;
    return `postgres://tests@localhost/postgres?host=${encodeURIComponent(this.directory)}${path}`;
  }

  /** The address of a new, empty schema. */
  async newSchema(): Promise<string> {
    return this.url(await this.makeSchema());
  }

  /** Makes an empty schema. @returns its name */
  async makeSchema(): Promise<string> {
    const schema = `s${++this.#schemas}`;
    await this.query(`CREATE SCHEMA ${schema}`);
    return schema;
  }

  /** Runs a statement in a session of its own. */
  async query<Row extends QueryResultRow>(sql: string, schema?: string): Promise<Row[]> {
    return (await this.#run<Row>(sql, schema)).rows;
  }

  /** Runs a statement in a session of its own. @returns the number of changed rows */
  async change(sql: string, schema: string): Promise<number> {
    return (await this.#run(sql, schema)).rowCount ?? 0;
  }

  async #run<Row extends QueryResultRow>(sql: string, schema?: string): Promise<QueryResult<Row>> {
    const client = new Client({ connectionString: this.url(schema) });
    client.on("error", () => {});
    await client.connect();
    try {
      return await client.query<Row>(sql);
    } finally {
      await client.end();
    }
  }

  async up(): Promise<void> {
    const settings = [
      "listen_addresses=",
      "max_connections=200",
      `unix_socket_directories=${this.directory}`,
    ];
    const [program, args] = asUser(join(this.#binaries, "postgres"), [
      "-D",
      join(this.directory, "data"),
      ...settings.flatMap((setting) => ["-c", setting]),
    ]);
    this.#process = spawn(program, args, { cwd: this.directory, stdio: "ignore" });
    await eventually(() => this.query("SELECT 1"));
  }

  /** Ends the server: `SIGINT` in order, `SIGQUIT` at once and without a word to its disk. */
  async down(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  async stop(): Promise<void> {
    await this.down("SIGQUIT");
    await rm(this.directory, { recursive: true, force: true });
  }
}
