import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { onPath } from "../../bench/harness/services/debian.ts";
import { freePort } from "../../bench/harness/services/ports.ts";
import { eventually } from "./eventually.ts";
import { temporaryDirectory } from "./processes.ts";
import { skipped } from "./skipped.ts";

const program = onPath("haproxy");

/** Whether haproxy is installed, and the end of the names of tests that need it. */
export const hasHaproxy = program !== undefined;
export const whyNoHaproxy = skipped(!hasHaproxy, "haproxy is not installed");

/** The configuration in docs/postgres.md, for servers on ports of this machine. */
const configuration = (port: number, servers: readonly number[]): string => `
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 1s
  timeout tunnel 1h
  option forwardfor
  option redispatch
  retries 3

frontend manyhands
  bind 127.0.0.1:${port}
  default_backend servers

backend servers
  balance roundrobin
  option httpchk GET /healthz
  default-server check inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
${servers.map((server, k) => `  server s${k} 127.0.0.1:${server}`).join("\n")}
`;

/** A haproxy before servers on ports of this machine; it ends with the test. */
export class Haproxy {
  readonly url: string;
  readonly #port: number;

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Chooses the address, which servers have to know before they start. */
  static async at(): Promise<Haproxy> {
    return new Haproxy(await freePort());
  }

  /** Starts haproxy; resolves when a server answers through it. */
  async start(servers: readonly number[]): Promise<void> {
    const file = join(await temporaryDirectory(), "haproxy.cfg");
    await writeFile(file, configuration(this.#port, servers));
    const child = spawn(program!, ["-db", "-f", file], { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const exited = once(child, "exit");
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await exited;
    });
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`haproxy ended: ${said}`);
      const { ok } = await fetch(`${this.url}/healthz`);
      if (!ok) throw new Error("no server answers through haproxy yet");
    });
  }
}
