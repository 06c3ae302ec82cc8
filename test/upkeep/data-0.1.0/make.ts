import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { keyed, kernels, stored } from "./jobs.ts";

/**
 * Makes the data directory beside this file with a server and a client of 0.1.0:
 *
 *     git worktree add /tmp/old 57a0c28d && (cd /tmp/old && npm ci)
 *     node test/upkeep/data-0.1.0/make.ts /tmp/old
 *
 * The jobs are those of `jobs.ts`. Identity, tokens and the times are new each time.
 */
const [checkout] = process.argv.slice(2);
if (checkout === undefined) throw new Error("Give the folder of a checkout of 0.1.0, with its packages.");
const launcher = join(checkout, "bin", "manyhands.js");
const scratch = await mkdtemp(join(tmpdir(), "manyhands-0.1.0-"));
const data = join(scratch, "data");

function start(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(process.execPath, [launcher, ...args], {
    env: { ...process.env, XDG_STATE_HOME: join(scratch, "state"), ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  process.once("exit", () => child.kill());
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}

const server = start(["server", "--json", "--port", "0", "--data", data, "--log-level", "warn"]);
const [line] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
const { url, tokenFile } = JSON.parse(line) as { url: string; tokenFile: string };
const token = (await readFile(tokenFile, "utf8")).trim();

async function ask<T>(method: string, path: string, body?: string | Uint8Array): Promise<T> {
  const headers = {
    accept: "application/json",
    authorization: `Bearer ${token}`,
    ...(typeof body === "string" && { "content-type": "application/json" }),
  };
  const response = await fetch(url + path, { method, headers, ...(body !== undefined && { body }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

interface Job {
  readonly id: string;
  readonly state: string;
  readonly counts: { readonly done: number; readonly failed: number };
}

const submit = (job: object): Promise<Job> => ask("POST", "/api/jobs", JSON.stringify(job));

async function waitFor(id: string, isReached: (job: Job) => boolean): Promise<void> {
  while (!isReached(await ask<Job>("GET", `/api/jobs/${id}`))) await pause(20);
}

const sha256 = createHash("sha256").update(stored).digest("hex");
await ask("PUT", `/api/blobs/${sha256}`, stored);

const client = start(["client", "--server", url, "--slots", "2", "--cache-dir", join(scratch, "cache")], {
  MANYHANDS_TOKEN: token,
});

const range = (count: number): number[] => Array.from({ length: count }, (_, x) => x);
const isFinished = ({ state }: Job): boolean => state === "finished";

const done = await submit({ name: "done", kernel: { source: kernels.square }, inputs: range(20) });
await waitFor(done.id, isFinished);
const blobs = await submit({
  name: "blobs",
  kernel: { source: kernels.reverse },
  inputs: [{ $ref: { sha256, size: stored.length } }],
});
await waitFor(blobs.id, isFinished);
const cancelled = await submit({ name: "cancelled", kernel: { source: kernels.endless }, inputs: range(4) });
await ask("POST", `/api/jobs/${cancelled.id}/cancel`);
const keyedJob = await submit({ ...keyed, inputs: range(10) });
await waitFor(keyedJob.id, ({ counts }) => counts.done === 10);
// Four tasks of the job are done and two failed; the client is gone before the other tasks are submitted.
const half = await submit({
  name: "half",
  kernel: { source: kernels.halves },
  inputs: range(6),
  open: true,
  failFast: false,
});
await waitFor(half.id, ({ counts }) => counts.done === 4 && counts.failed === 2);
await stop(client);
await ask(
  "POST",
  `/api/jobs/${half.id}/tasks?close=1`,
  JSON.stringify([6, 7, 8, 9, 10, 11].map((input) => ({ input }))),
);
const makeToken = async (role: string): Promise<string> =>
  (await ask<{ token: string }>("POST", "/api/tokens", JSON.stringify({ role, name: `the ${role}` }))).token;
const tokens = { admin: await makeToken("admin"), client: await makeToken("client") };
await stop(server);

const target = join(import.meta.dirname, "data");
await rm(target, { recursive: true, force: true });
await cp(data, target, { recursive: true });
await writeFile(join(import.meta.dirname, "tokens.json"), JSON.stringify(tokens));
await rm(scratch, { recursive: true });
