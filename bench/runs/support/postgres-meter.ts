import { Client } from "pg";
import { childrenOf, childSecondsOf, diskOf, statOf, type Disk } from "./process-stat.ts";

interface Spent extends Disk {
  /** Processor time of all processes of PostgreSQL. */
  readonly seconds: number;
  readonly walBytes: number;
}

/** Makes an empty schema in the PostgreSQL of POSTGRES_URL, and reads the processor time and log bytes of PostgreSQL. */
export async function startMeter(): Promise<{ url: string; read(): Promise<Spent>; close(): Promise<void> }> {
  const base = process.env["POSTGRES_URL"]!;
  const client = new Client({ connectionString: base });
  await client.connect();
  await client.query("DROP SCHEMA IF EXISTS manyhands CASCADE; CREATE SCHEMA manyhands; CHECKPOINT");
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const { parent } = await statOf(rows[0]!.pid);
  const url = new URL(base);
  url.searchParams.set("options", "-c search_path=manyhands");
  return {
    url: url.href,
    async read() {
      const { rows } = await client.query<{ bytes: string }>(
        "SELECT pg_current_wal_insert_lsn() - '0/0' AS bytes",
      );
      const seconds = await childSecondsOf(parent);
      return { seconds, walBytes: Number(rows[0]!.bytes), ...(await diskOf(await childrenOf(parent))) };
    },
    close: () => client.end(),
  };
}
