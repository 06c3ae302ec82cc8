import { spawn, type ChildProcess } from "node:child_process";
import type { Logger } from "pino";
import { launcherFile } from "../system/package-root.ts";
import type { Access } from "./access/access.ts";

/** Name of the auditors' token and client. */
const name = "auditor";
/** Shortest time between two starts of the auditor. */
const restartMs = 5000;
const stopMs = 10_000;

interface AuditorsOptions {
  /** Number of sandboxes; 0: no auditor is started. */
  readonly slots: number;
  /** Address of the server for programs of this machine. */
  readonly url: string;
  readonly cacheDirectory: string;
  /** Certificate of the server, which this machine may not trust otherwise. */
  readonly certificateFile: string | undefined;
  readonly access: Access;
  readonly log: Logger;
}

/**
 * The server's own trusted client, which tries tasks at which strangers failed (SPEC.md [TRUST-5]): a headless client in a process of
 * its own, at the lowest priority, started when the first such task waits.
 */
export class Auditors {
  readonly #options: AuditorsOptions;
  #child: ChildProcess | undefined;
  #tokenId: string | undefined;
  #startedAt = -Infinity;
  #isStopped = false;

  constructor(options: AuditorsOptions) {
    this.#options = options;
  }

  /** Whether a client that joined with this token is the auditor. */
  isAuditor(tokenId: string | undefined): boolean {
    return tokenId !== undefined && tokenId === this.#tokenId;
  }

  /** Starts the auditor unless it runs. */
  call(): void {
    const { slots, log } = this.#options;
    if (slots === 0 || this.#isStopped || performance.now() - this.#startedAt < restartMs) return;
    if (this.#child?.exitCode === null) return;
    this.#startedAt = performance.now();
    this.#start().catch((error: unknown) => log.error({ err: error }, "could not start the auditor"));
  }

  /** Ends the auditor. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const child = this.#child;
    if (child?.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
    await ended;
    clearTimeout(timer);
  }

  async #start(): Promise<void> {
    const { access, slots, url, cacheDirectory, certificateFile, log } = this.#options;
    // The auditor of an earlier server, which was killed, loses its token and therefore its trust.
    for (const token of await access.list())
      if (token.name === name && token.role === "client") await access.revoke(token.id);
    const { secret, info } = await access.createToken({ role: "client", name });
    this.#tokenId = info.id;
    if (this.#isStopped) return;
    const where = ["--server", url, "--slots", String(slots), "--name", name, "--cache-dir", cacheDirectory];
    const how = ["--nice", "19", "--exit-when-server-gone", "30", "--log-level", "warn"];
    const child = spawn(process.execPath, [launcherFile, "client", ...where, ...how], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        MANYHANDS_TOKEN: secret,
        ...(certificateFile !== undefined && { NODE_EXTRA_CA_CERTS: certificateFile }),
      },
    });
    this.#child = child;
    child.on("error", (error) => log.error({ err: error }, "could not start the auditor"));
    child.on("exit", (code, signal) => {
      if (!this.#isStopped)
        log.warn({ code, signal }, "the auditor ended; it starts again when it is needed");
    });
    log.info({ slots }, "started the auditor: strangers failed at a task, which needs a second opinion");
  }
}
