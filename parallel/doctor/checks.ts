import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname, join, resolve } from "node:path";
import { createProcessSandboxes } from "../../node-client/sandbox/process-sandboxes.ts";
import { messageOf } from "../../shared/errors.ts";
import { jobDefaults } from "../../shared/limits.ts";

/** The outcome of a check. */
export interface Finding {
  /** `note`: a feature works less well, or was not looked at. */
  readonly state: "good" | "note" | "bad";
  readonly sentence: string;
}

const good = (sentence: string): Finding => ({ state: "good", sentence });
const note = (sentence: string): Finding => ({ state: "note", sentence });
const bad = (sentence: string): Finding => ({ state: "bad", sentence });

const gib = 1024 ** 3;
const scarceBytes = 2 * gib;
const answerMs = 5_000;
/** Largest difference between two clocks that does not count as one. */
const clockMs = 5_000;

/** Starts a sandbox, as a client does for each slot. */
export async function checkNode(cacheDirectory: string): Promise<Finding> {
  const began = performance.now();
  try {
    const sandboxes = createProcessSandboxes({ cacheDirectory });
    const unused = async (): Promise<never> => Promise.reject(new Error("no kernel runs"));
    const host = { data: unused, put: unused, report: () => undefined };
    const sandbox = await sandboxes.create(host, { slot: 0, memoryMb: jobDefaults.memoryMb });
    sandbox.terminate();
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    return good(`Node ${process.version} runs clients and servers; a sandbox was ready in ${seconds} s.`);
  } catch (error) {
    return bad(
      `No kernel can run here: the sandbox of Node ${process.version} does not start (${messageOf(error)}).`,
    );
  }
}

/** Checks that kernels run without the rights of root. */
export function checkUser(): Finding {
  return process.getuid?.() === 0
    ? note("This is root: on machines that matter, run server and client as users of their own.")
    : good("This user is not root.");
}

/** Checks that a directory, or the folder in which it will be made, can be written and has room. */
export function checkDirectory(what: string, directory: string): Finding {
  let present = resolve(directory);
  while (!existsSync(present)) present = dirname(present);
  try {
    accessSync(present, constants.W_OK | constants.X_OK);
  } catch {
    return bad(
      `The ${what} ${directory} cannot be written by this user; choose another, or change its owner.`,
    );
  }
  const { bavail, bsize } = statfsSync(present);
  const free = bavail * bsize;
  const room = `The disk of the ${what} ${directory} has ${(free / gib).toFixed(1)} GiB left`;
  return free < scarceBytes ? note(`${room}: make room, or choose another disk.`) : good(`${room}.`);
}

/** Checks that a server could listen at a port. */
export async function checkPort(port: number): Promise<Finding> {
  const probe = createServer();
  const error = await new Promise<NodeJS.ErrnoException | undefined>((done) => {
    probe.once("error", done);
    probe.listen(port, "127.0.0.1", () => done(undefined));
  });
  await new Promise((closed) => probe.close(closed));
  if (!error) return good(`Port ${port} is free for a server on this machine.`);
  if (error.code === "EADDRINUSE")
    return note(`Port ${port} is in use on this machine: a server is running, or another needs --port.`);
  return bad(`Port ${port} cannot be used: ${error.message}.`);
}

/** Checks that this machine has a browser with which it could volunteer. */
export function checkBrowser(): Finding {
  const names = ["chromium", "chromium-browser", "google-chrome", "firefox", "microsoft-edge"];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
  return found === undefined
    ? note("There is no browser in PATH: this machine computes with `manyhands client`.")
    : good(`There is a browser to compute with: ${found}.`);
}

/** Checks that a server answers, is healthy, and has the same time. */
export async function checkServer(url: string): Promise<Finding[]> {
  let reply: Response;
  try {
    reply = await fetch(new URL("healthz", url), { signal: AbortSignal.timeout(answerMs) });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return [
      bad(
        `Nothing answers at ${url} (${messageOf(cause)}): start a server, or check address, firewall and --host of the server.`,
      ),
    ];
  }
  const text = (await reply.text()).slice(0, 300);
  const health = reply.ok
    ? good(`The server at ${url} answers and is healthy.`)
    : bad(`The server at ${url} answers, but says: ${text}`);
  const differenceMs = Date.parse(reply.headers.get("date") ?? "") - Date.now();
  if (Number.isNaN(differenceMs)) return [health, note("The server does not tell its time.")];
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  const clock =
    Math.abs(differenceMs) < clockMs
      ? good("The clocks of this machine and the server agree.")
      : note(
          `This machine's clock is ${seconds} s ${differenceMs > 0 ? "behind" : "ahead of"} the server's: times of day in logs and lists differ.`,
        );
  return [health, clock];
}
