import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { freePort } from "../../bench/harness/services/ports.ts";
import { labHost } from "../../scripts/lab-host.ts";

export const root = join(import.meta.dirname, "..", "..");
export const launcher = join(root, "bin", "manyhands.js");

/** A Node program, started as a user starts it. */
export interface Running {
  readonly process: ChildProcess;
  /** Standard output so far. */
  readonly output: () => string;
  /** Standard error so far. */
  readonly log: () => string;
  /** The exit code, when the program has ended and all output has been read. */
  readonly ended: Promise<number | null>;
  /** Kills the program with SIGKILL and waits for its end. */
  readonly kill: () => Promise<void>;
  /** Stops the program as a service manager does; resolves with its exit code. */
  readonly terminate: () => Promise<number | null>;
}

interface ProgramOptions {
  /** Environment, in place of that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Standard input; empty when absent. */
  readonly input?: string | undefined;
  /** A command, with arguments, that runs the program. */
  readonly under?: readonly string[];
  /** Path of a Node; that of this process when absent. */
  readonly node?: string;
}

export interface RunningServerProcess extends Running {
  readonly url: string;
  readonly port: number;
  readonly token: string;
}

/** A new empty directory, removed when the test is over. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-test-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/**
 * Starts `manyhands server` and waits until it is ready.
 * @param under - a command that runs the server, such as a tracer, with its flags
 */
export async function startServerProcess(
  data: string,
  flags: readonly string[] = [],
  under: readonly string[] = [],
): Promise<RunningServerProcess> {
  const args = [
    "server",
    "--json",
    "--port",
    "0",
    "--data",
    data,
    "--log-level",
    "warn",
    "--allow-host",
    labHost,
    ...flags,
  ];
  const running = run(args, { XDG_STATE_HOME: join(data, "state") }, under);
  const ready = await firstLine(running);
  const { url, tokenFile } = JSON.parse(ready) as { url: string; tokenFile: string };
  const token = (await readFile(tokenFile, "utf8")).trim();
  return { ...running, url, token, port: Number(new URL(url).port) };
}

/** Flags of a server that is started again at its port, which no outgoing connection of the system takes meanwhile. */
export async function keptPort(): Promise<string[]> {
  return ["--port", String(await freePort())];
}

/** Starts `manyhands client` with a cache of its own. */
export async function startClientProcess(
  server: { url: string; token: string },
  flags: readonly string[] = [],
  cache?: string,
): Promise<Running> {
  const directory = cache ?? (await temporaryDirectory());
  const args = [
    "client",
    "--server",
    server.url,
    "--slots",
    "1",
    "--cache-dir",
    directory,
    "--log-level",
    "info",
    ...flags,
  ];
  return run(args, { MANYHANDS_TOKEN: server.token });
}

/** Starts any manyhands command, run by the command `under` when given. The command is killed at the end of the test. */
export function run(
  args: readonly string[],
  env: Record<string, string> = {},
  under: readonly string[] = [],
): Running {
  const running = startNode([launcher, ...args], { env: { ...process.env, ...env }, under });
  onTestFinished(running.kill);
  return running;
}

/** Starts a program of Node. The caller ends the program. */
export function startNode(
  args: readonly string[],
  { env, cwd, input, under = [], node = process.execPath }: ProgramOptions = {},
): Running {
  const [command = "", ...words] = [...under, node, ...args];
  const child = spawn(command, words, { ...(env && { env }), ...(cwd && { cwd }) });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  child.stdin.end(input);
  const exited = once(child, "exit");
  const ended = once(child, "close").then(([code]) => code as number | null);
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  const terminate = async (): Promise<number | null> => {
    child.kill("SIGTERM");
    const [code] = (await exited) as [number | null];
    return code;
  };
  return { process: child, output: () => output, log: () => errors, ended, kill, terminate };
}

async function firstLine(running: Running): Promise<string> {
  const lines = createInterface({ input: running.process.stdout! });
  const line = await Promise.race([
    once(lines, "line").then(([text]) => text as string),
    once(running.process, "exit").then(() => {
      throw new Error(`the process ended before it was ready: ${running.log()}`);
    }),
  ]);
  return line;
}

/** Waits until a condition holds; the condition is evaluated every 20 ms. */
export async function until<T>(ask: () => T | Promise<T>, timeoutMs = 30_000): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`this did not come true within ${timeoutMs} ms: ${ask.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
