import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import * as v from "valibot";
import type { Hands } from "../../customer/index.ts";
import { PlatformError } from "../../shared/errors.ts";
import { launcherFile } from "../../system/package-root.ts";

const ready = v.object({
  url: v.string(),
  volunteerUrls: v.array(v.string()),
  adminUrl: v.string(),
  tokenFile: v.string(),
});

/** Address and token of a server for a customer. */
export interface LabServer {
  readonly url: string;
  readonly token: string;
  readonly volunteerUrls: readonly string[];
  readonly adminUrl: string;
}

/** Time that a process has to end by itself. */
const patienceMs = 8000;
/** Time that clients have to join: they start in a second or two, on a busy machine in ten. */
const joinMs = 45_000;

/** A server and clients in processes of their own, on a temporary directory that is removed in the end. */
export class Lab {
  readonly #processes: ChildProcess[] = [];
  readonly #errors: (() => string)[] = [];
  readonly #directory: string;
  #closing: Promise<void> | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    // A program that ends without close() must not leave children behind.
    process.on("exit", this.#kill);
  }

  static async open(): Promise<Lab> {
    return new Lab(await mkdtemp(join(tmpdir(), "manyhands-demo-")));
  }

  /**
   * Starts the server.
   * @param port - undefined: 9990, or a free port when 9990 is taken
   * @throws PlatformError with the server's output when it does not start
   */
  async startServer(host: string, port: number | undefined): Promise<LabServer> {
    try {
      return await this.#startServer(host, port ?? 9990);
    } catch (error) {
      if (port !== undefined) throw error;
      return this.#startServer(host, 0);
    }
  }

  async #startServer(host: string, port: number): Promise<LabServer> {
    const where = ["--host", host, "--port", String(port), "--data", join(this.#directory, "server")];
    const child = this.#spawn("server", ["--json", "--log-level", "error", ...where]);
    const errors = collect(child);
    const line = await Promise.race([
      once(createInterface({ input: child.stdout! }), "line").then(([first]) => String(first)),
      once(child, "exit").then(() => undefined),
    ]);
    if (line === undefined) throw new PlatformError("UNREACHABLE", `The server did not start. ${errors()}`);
    const { tokenFile, ...server } = v.parse(ready, JSON.parse(line));
    return { ...server, token: (await readFile(tokenFile, "utf8")).trim() };
  }

  /** Starts one headless client. */
  startClient(url: string, slots: number): void {
    const cache = join(this.#directory, `client-${this.#processes.length}`);
    const where = ["--server", url, "--slots", String(slots), "--cache-dir", cache];
    const child = this.#spawn("client", [...where, "--log-level", "warn"]);
    this.#errors.push(collect(child));
  }

  /** Waits until clients have joined. @throws PlatformError TIMED_OUT with the clients' output */
  async whenJoined(hands: Hands, clients: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + joinMs;
    for (;;) {
      signal.throwIfAborted();
      const connected = (await hands.clients()).filter((client) => client.connected).length;
      if (connected >= clients) return;
      if (performance.now() > until || this.#processes.some(hasEnded))
        throw new PlatformError(
          "TIMED_OUT",
          `Only ${connected} of ${clients} clients have joined. ${this.#errors.map((errors) => errors()).join("\n")}`,
        );
      await wait(50);
    }
  }

  /** Ends clients, then the server, and removes their directory. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const [server, ...clients] = this.#processes;
    await Promise.all(clients.map(end));
    if (server) await end(server);
    process.off("exit", this.#kill);
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly #kill = (): void => {
    for (const child of this.#processes) child.kill("SIGKILL");
  };

  #spawn(command: string, args: readonly string[]): ChildProcess {
    // The child gets a process group of its own: Ctrl-C then reaches only the demo, which ends its children in order.
    const child = spawn(process.execPath, [launcherFile, command, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    this.#processes.push(child);
    return child;
  }
}

/** Drains a process's standard error, so that the process never blocks, and keeps the end of the text. */
function collect(child: ChildProcess): () => string {
  let text = "";
  child.stdout?.resume();
  child.stderr?.on("data", (chunk: Buffer) => (text = (text + chunk.toString()).slice(-2000)));
  return () => text.trim();
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  await exited;
  clearTimeout(timer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
