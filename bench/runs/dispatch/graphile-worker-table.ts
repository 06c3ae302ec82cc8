/** The worker process of graphile-worker.ts: outputs are in the table before their tasks count as done. */
import { run } from "graphile-worker";
import { Pool } from "pg";
import { workerOptions } from "./graphile-worker-options.ts";
import { makeBatcher } from "../support/batcher.ts";

const pool = new Pool({ connectionString: process.env["POSTGRES_URL"]! });
const store = makeBatcher<string>(async (outputs) => {
  await pool.query("insert into outputs (output) select * from unnest($1::text[])", [outputs]);
});
await run({
  ...workerOptions,
  taskList: { echo: (payload) => store((payload as { input: string }).input) },
});
console.log("ready");
