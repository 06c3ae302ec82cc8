import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ConnectOptions } from "../../customer/connect.ts";
import { Hands } from "../../customer/hands.ts";
import { HttpClient } from "../../customer/http.ts";
import type { PlatformError } from "../../shared/errors.ts";
import { launcherFile } from "../../system/package-root.ts";
import { openFirstFree, programName } from "../program-directory.ts";
import type { ParallelSpec } from "../spec.ts";
import { launchCommand, launchEnvironment } from "./launcher.ts";
import { ownAddress } from "./own-address.ts";
import { Ranks } from "./ranks.ts";
import { openScratch, type Scratch } from "./scratch.ts";
import { startServerThread, type ServerThread } from "./server-thread.ts";

type MpiSpec = Extract<ParallelSpec, { type: "mpi" }>;

const rankFile = join(import.meta.dirname, "rank.sh");
/** Ranks of a killed program end after this long; a broken connection is back by then. */
const serverGoneSeconds = 20;

/**
 * Opens a server in a thread of this process, for its own ranks alone, and starts them under mpirun, mpiexec or srun; each is a client
 * that finds the server through a rendezvous file in SCRATCH. Jobs are kept in SCRATCH, so a program that is run again goes
 * on with the jobs it gave a key. `hands.close()` ends ranks and server.
 *
 * A killed rank is started again. When every rank is gone, every pending call of `hands` rejects with RANKS_GONE and the launcher's
 * error output.
 *
 * Environment: `MANYHANDS_MPIRUN` the launcher, `MANYHANDS_MPIOPTS` its options instead of `-n N`, `MANYHANDS_MPI_HOST` the
 * address to listen on, `MANYHANDS_SLOTS` slots a rank (1).
 * @throws PlatformError BAD_OPTION without a launcher, DATA_DIRECTORY when SCRATCH cannot be used
 */
export async function connectMpi(spec: MpiSpec, options: ConnectOptions): Promise<MpiHands> {
  const command = launchCommand(spec.ranks, process.env);
  const name = options.name ?? spec.options.name;
  const program = name ?? programName(process.argv);
  const scratch = await openScratch(spec.scratch, program, randomBytes(6).toString("hex"));
  const server = await startFreeServer(scratch, await ownAddress(process.env), (error) => http.close(error));
  const http = new HttpClient({
    url: `${server.url}/`,
    findToken: async () => server.token,
    patienceMs: options.patienceMs ?? Infinity,
    silenceMs: options.silenceMs,
    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),
  });
  const ranks = new Ranks({
    command: [...command, ...rankCommand(spec, scratch)],
    env: launchEnvironment(process.env, process.getuid?.() === 0),
    onGone: (error) => {
      http.close(error);
      void server.close();
    },
  });
  return new MpiHands(http, { ranks, server }, { ...options, name });
}

interface Surroundings {
  readonly ranks: Ranks;
  readonly server: ServerThread;
}

/** A connection to ranks of its own. */
export class MpiHands extends Hands {
  readonly #surroundings: Surroundings;
  readonly #closeHttp: () => void;
  #closing: Promise<void> | undefined;

  constructor(http: HttpClient, surroundings: Surroundings, { name, priority }: ConnectOptions) {
    super(http, name, priority);
    this.#surroundings = surroundings;
    this.#closeHttp = () => http.close();
  }

  /** Ends the ranks and the server; resolves when they are gone. Jobs stay in SCRATCH. */
  // oxlint-disable-next-line typescript/no-misused-promises -- the promise never rejects, so a caller need not wait
  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.closeSingleTasks();
    this.#closeHttp();
    // The ranks end first, so that their goodbyes reach the server.
    await this.#surroundings.ranks.end();
    await this.#surroundings.server.close();
  }
}

/** The command of a rank: one slot a rank, as MPI counts, under the Node of this program. */
function rankCommand(spec: MpiSpec, scratch: Scratch): string[] {
  const cache = spec.options.cache ?? scratch.caches;
  const slots = process.env["MANYHANDS_SLOTS"] || "1";
  const gone = process.env["MANYHANDS_EXIT_WHEN_SERVER_GONE"] || String(serverGoneSeconds);
  const client = ["client", "--rendezvous", scratch.rendezvousFile, "--slots", slots];
  const ending = ["--rendezvous-wait", "60", "--exit-when-server-gone", gone, "--log-level", "warn"];
  return ["sh", rankFile, cache, process.execPath, launcherFile, ...client, ...ending];
}

/** Starts the server on the program's first data directory that no other server has. */
function startFreeServer(
  { dataDirectory, rendezvousFile: rendezvous }: Scratch,
  host: string,
  onDied: (error: PlatformError) => void,
): Promise<ServerThread> {
  const fixed = { host, port: 0, rendezvous, volunteers: "off", logLevel: "silent" } as const;
  return openFirstFree((nth) => startServerThread({ ...fixed, dataDirectory: dataDirectory(nth) }, onDied));
}
