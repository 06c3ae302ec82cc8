import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/harness/services/ports.ts";
import { connect, type ConnectOptions, type Hands } from "../../customer/index.ts";
import type { RunningServer } from "../../server/server.ts";
import { launcher, startNode, type Running } from "../support/processes.ts";
import { startQuietServer } from "../support/server.ts";

/** A real server in this process and, with `slots`, a real client in its own process; for all tests of a file. */
export class LivePlatform {
  readonly directory: string;
  server: RunningServer;
  #client: Running | undefined;
  readonly #connections: Hands[] = [];

  private constructor(directory: string, server: RunningServer) {
    this.directory = directory;
    this.server = server;
  }

  static async start(options: { slots: number } = { slots: 2 }): Promise<LivePlatform> {
    const directory = await mkdtemp(join(tmpdir(), "manyhands-test-"));
    // The discovery file belongs in the test's own directory, where customers of this process look for it.
    process.env["XDG_STATE_HOME"] = join(directory, "state");
    const platform = new LivePlatform(directory, await startIn(directory, await freePort()));
    if (options.slots > 0) platform.startClient(options.slots);
    return platform;
  }

  get url(): string {
    return this.server.url;
  }

  /** Environment of processes that connect to this server. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, MANYHANDS_SERVER: this.url, MANYHANDS_TOKEN: this.server.token };
  }

  async connect(options: ConnectOptions & { url?: string } = {}): Promise<Hands> {
    const { url = this.url, ...rest } = options;
    const hands = await connect(url, { token: this.server.token, ...rest });
    this.#connections.push(hands);
    return hands;
  }

  startClient(slots: number, flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Running {
    const cache = join(this.directory, "cache");
    const args = [launcher, "client", "--server", this.url, "--slots", `${slots}`, "--cache-dir", cache];
    this.#client = startNode([...args, ...flags], { env: { ...this.environment, ...env } });
    return this.#client;
  }

  /** Stops the server and starts another on the same port and data. */
  async restart(whileDown: () => Promise<void> = async () => undefined): Promise<void> {
    const { port } = this.server;
    await this.server.close();
    await whileDown();
    this.server = await startIn(this.directory, port);
  }

  async close(): Promise<void> {
    for (const hands of this.#connections) hands.close();
    await this.#client?.kill();
    await this.server.close();
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function startIn(directory: string, port: number): Promise<RunningServer> {
  return startQuietServer({ port, dataDirectory: join(directory, "data") });
}
