import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boundToUs } from "../fresh-process.ts";
import { untilListening } from "./ports.ts";

const stopMs = 10_000;

/** A service, and the environment that tells a run its address. */
export interface RunningService {
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

interface ServiceCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** The signal that ends the service soonest without damage; SIGTERM unless given. */
  readonly stopSignal?: NodeJS.Signals;
}

const directories = new Set<string>();

/** A new directory, which {@link removeDirectories} removes. */
export async function dataDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `manyhands-bench-${name}-`));
  directories.add(directory);
  return directory;
}

/** Removes all data directories, also those of services that never started. */
export async function removeDirectories(): Promise<void> {
  await Promise.all(
    [...directories].map((directory) => rm(directory, { recursive: true, force: true, maxRetries: 5 })),
  );
  directories.clear();
}

/** Starts a service and waits until it takes connections. */
export async function startService(command: ServiceCommand): Promise<RunningService> {
  const [program, args] = boundToUs(command.program, command.args);
  // A process group of its own, so that Ctrl-C does not end a service before the run that uses it.
  const child = spawn(program, args, {
    cwd: command.directory,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (log = (log + text).slice(-10_000)));
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(command.stopSignal ?? "SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), stopMs);
    await exited;
    clearTimeout(late);
  };
  const ended = exited.then(() => Promise.reject(new Error(`${command.program} did not start:\n${log}`)));
  // After the start the end of the service is no error.
  ended.catch(() => undefined);
  try {
    await Promise.race([untilListening(command.port), ended]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { env: command.env, stop };
}
