/**
 * Processor time a task of several whole servers on one database, in µs, without PostgreSQL's own:
 * `node manyhands.ts [--servers 1] [--jobs 1] [--tasks 120000] [--clients 6] [--database postgres|sqlite]`. Customers and clients are spread
 * over the servers. The clients are bare sockets in this process that return each input at once, so that the servers are all that is measured.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connectClient } from "../support/bare-client.ts";
import { cpuProfile, temporaryDirectory } from "../support/children.ts";
import { inputs } from "../support/inputs.ts";
import { connectTo, startServer } from "../support/platform.ts";
import { startMeter } from "../support/postgres-meter.ts";
import { cpuSecondsOf, diskOf } from "../support/process-stat.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    servers: { type: "string", default: "1" },
    jobs: { type: "string", default: "1" },
    tasks: { type: "string", default: "120000" },
    warm: { type: "string", default: "60000" },
    clients: { type: "string", default: "6" },
    database: { type: "string", default: "postgres" },
    "server-prof": { type: "string" },
  },
});
const tasks = Number(values.tasks);
const jobs = Number(values.jobs);
/** Unfinished tasks that a client asks for: as many as a real client with two slots and tiny tasks asks for a slot. */
const held = 2048;
const slots = 2;
/** Time that the client says a task took: with less a server would claim no more. */
const elapsedMs = 0.05;

const postgres = values.database === "postgres" ? await startMeter() : undefined;
const blobs = join(temporaryDirectory(), "blobs");
const flags = postgres ? ["--store", postgres.url, "--blobs", blobs] : [];
const servers = await Promise.all(
  Array.from({ length: Number(values.servers) }, () =>
    startServer({ flags, nodeFlags: cpuProfile(values["server-prof"]) }),
  ),
);
const customers = await Promise.all(servers.map(connectTo));
const clients = await Promise.all(
  Array.from({ length: Number(values.clients) }, (_, at) => startEcho(servers[at % servers.length]!)),
);

/** A client that returns its inputs. Resolves when it is welcome. */
function startEcho({ url, token }: (typeof servers)[number]): Promise<{ done: number }> {
  const client = { done: 0 };
  return new Promise((resolve, reject) => {
    const connection = connectClient(
      url,
      { token },
      {
        received(message) {
          if (message.type === "welcome") {
            connection.send({ type: "want", tasks: held, slots });
            resolve(client);
          } else if (message.type === "lease") {
            const { job, tasks } = message;
            client.done += tasks.length;
            const results = tasks.map(({ index, attempt, input }) => ({
              index,
              attempt,
              elapsedMs,
              outcome: { state: "done" as const, output: input },
            }));
            connection.send({ type: "results", job: job.id, results }, { type: "want", tasks: held, slots });
          }
        },
        lost: (why) => reject(new Error(`a client was lost: ${why}`)),
      },
    );
  });
}

/** Computes so many tasks, in jobs of the customers in turn, and verifies every output. */
async function compute(count: number, prefix: string): Promise<void> {
  const each = Math.ceil(count / jobs);
  await Promise.all(
    Array.from({ length: jobs }, async (_, at) => {
      const sent = [...inputs(each, `${prefix}${at} `)];
      const outputs = await customers[at % customers.length]!.map((input: string) => input, sent, {
        verify: "off",
      });
      if (outputs.length !== sent.length || outputs.some((output, index) => output !== sent[index]))
        throw new Error("outputs are not the inputs");
    }),
  );
}

async function spent() {
  const pids = servers.map(({ pid }) => pid);
  const seconds = await Promise.all(pids.map(cpuSecondsOf));
  const { diskBytes } = await diskOf(pids);
  const database = (await postgres?.read()) ?? { seconds: 0, walBytes: 0, writes: 0, diskBytes: 0 };
  return {
    servers: seconds.reduce((sum, one) => sum + one, 0),
    database: database.seconds,
    walBytes: database.walBytes,
    writes: database.writes,
    diskBytes: diskBytes + database.diskBytes,
  };
}

// V8 compiles the code of each server process during these tasks.
await compute(Number(values.warm) * servers.length, "w");
const before = await spent();
const doneBefore = clients.map(({ done }) => done);
const started = performance.now();
await compute(tasks, "t");
const took = performance.now() - started;
const after = await spent();
const a = (name: keyof typeof after, factor: number, digits: number): number =>
  rounded(((after[name] - before[name]) * factor) / tasks, digits);
const shares = clients.map(({ done }, at) => (done - doneBefore[at]!) / tasks);
if (values["server-prof"]) for (const server of servers) await server.stop();
report(a("servers", 1e6, 2), {
  "tasks/s": Math.round((tasks / took) * 1000),
  ...(postgres && {
    "µs of PostgreSQL": a("database", 1e6, 2),
    "bytes of WAL": a("walBytes", 1, 0),
    "writes of PostgreSQL a 1,000 tasks": a("writes", 1000, 1),
  }),
  "bytes to disk": a("diskBytes", 1, 0),
  "least busy client, % of the tasks": rounded(Math.min(...shares) * 100, 1),
});
