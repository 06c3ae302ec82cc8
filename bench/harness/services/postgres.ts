import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { postgresBinaries } from "./debian.ts";
import { freePort } from "./ports.ts";
import { dataDirectory, startService, type RunningService } from "./service.ts";

/** PostgreSQL with its defaults: fsync and synchronous_commit on, so commits survive a power cut. */
export async function startPostgres(): Promise<RunningService> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error("PostgreSQL is not installed.");
  const [directory, port] = [await dataDirectory("postgres"), await freePort()];
  const data = join(directory, "data");
  // PostgreSQL refuses to run as root.
  const root = process.getuid?.() === 0;
  if (root) await promisify(execFile)("chown", ["postgres:postgres", directory]);
  const asUser = (program: string, args: readonly string[]): [string, string[]] =>
    root
      ? [
          "setpriv",
          ["--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "INT", program, ...args],
        ]
      : [program, [...args]];
  const flags = ["--username", "bench", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"];
  const [initdb, initdbArgs] = asUser(join(binaries, "initdb"), ["--pgdata", data, ...flags]);
  await promisify(execFile)(initdb, initdbArgs, { cwd: directory });
  const settings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${directory}`];
  const [program, args] = asUser(join(binaries, "postgres"), [
    "-D",
    data,
    "-p",
    `${port}`,
    ...settings.flatMap((setting) => ["-c", setting]),
  ]);
  return startService({
    program,
    args,
    port,
    directory,
    env: { POSTGRES_URL: `postgres://bench@127.0.0.1:${port}/postgres` },
    // Fast shutdown. Smart shutdown (SIGTERM) waits for sessions.
    stopSignal: "SIGINT",
  });
}
