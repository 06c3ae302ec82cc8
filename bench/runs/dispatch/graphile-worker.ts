/**
 * graphile-worker on PostgreSQL. `--outputs memory`: the worker runs in the customer's process and hands outputs over in
 * memory, so they are not kept. `--outputs table`: a worker process inserts outputs into a table, in batches, before their
 * tasks count as done; the customer reads the table.
 */
import { parseArgs } from "node:util";
import { makeWorkerUtils, run } from "graphile-worker";
import { Pool } from "pg";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";
import { workerOptions } from "./graphile-worker-options.ts";

const { values } = parseArgs({ options: { outputs: { type: "string", default: "memory" } }, strict: false });
const batch = 1000;
const pool = new Pool({ connectionString: process.env["POSTGRES_URL"]! });
await pool.query("drop schema if exists graphile_worker cascade; drop table if exists outputs");
await pool.query(
  "create table outputs (seq bigint generated always as identity primary key, output text not null)",
);
const utils = await makeWorkerUtils(workerOptions);
await utils.migrate();
await measureDispatch(values.outputs === "table" ? await throughTable() : await throughMemory());

async function submit(inputs: readonly string[]): Promise<void> {
  for (let at = 0; at < inputs.length; at += batch)
    await utils.addJobs(
      inputs.slice(at, at + batch).map((input) => ({ identifier: "echo", payload: { input } })),
    );
}

async function throughMemory(): Promise<(inputs: string[]) => Promise<string[]>> {
  let outputs: string[] = [];
  let whenAll = { count: NaN, resolve: (): void => undefined };
  const runner = await run({
    ...workerOptions,
    taskList: {
      echo: (payload) => {
        outputs.push((payload as { input: string }).input);
      },
    },
  });
  let completed = 0;
  runner.events.on("job:complete", () => {
    if (++completed === whenAll.count) whenAll.resolve();
  });
  return async (inputs) => {
    outputs = [];
    completed = 0;
    const all = new Promise<void>((resolve) => (whenAll = { count: inputs.length, resolve }));
    await submit(inputs);
    await all;
    return outputs;
  };
}

async function throughTable(): Promise<(inputs: string[]) => Promise<string[]>> {
  await startScript("dispatch/graphile-worker-table.ts").line();
  let after = "0";
  return async (inputs) => {
    const submitted = submit(inputs);
    const outputs: string[] = [];
    while (outputs.length < inputs.length) {
      const { rows } = await pool.query<{ seq: string; output: string }>(
        "select seq, output from outputs where seq > $1 order by seq limit 5000",
        [after],
      );
      after = rows.at(-1)?.seq ?? after;
      outputs.push(...rows.map(({ output }) => output));
      // Each poll costs the database too; 2 and 50 ms were no faster.
      if (rows.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await submitted;
    return outputs;
  };
}
