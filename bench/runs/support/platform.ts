import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../../customer/connect.ts";
import type { Hands } from "../../../customer/hands.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { startProgram, type Child } from "./children.ts";

const launcher = join(import.meta.dirname, "..", "..", "..", "bin", "manyhands.js");

/** A server as a user starts it, on a port of its own. */
export interface Server {
  readonly url: string;
  readonly token: string;
  readonly child: Child;
}

export type ClientKind = "node" | "chromium";

/** Starts `manyhands server` with everything at its default, and waits until it is ready. */
export async function startServer(data?: string): Promise<Server> {
  const directory = data ?? (await temporary("data"));
  const args = ["server", "--json", "--port", "0", "--data", directory, "--log-level", "warn"];
  const child = startProgram(process.execPath, [launcher, ...args], {
    XDG_STATE_HOME: join(directory, "state"),
  });
  const { url, tokenFile } = JSON.parse(await child.line()) as { url: string; tokenFile: string };
  child.process.stdout!.resume();
  return { url, token: (await readFile(tokenFile, "utf8")).trim(), child };
}

/** A new directory; the runner removes it with the rest of TMPDIR. */
export async function temporary(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `${name}-`));
}

/** The customer: the SDK in this process. */
export async function connectTo({ url, token }: Server): Promise<Hands> {
  return connect(url, { token });
}

/** Makes one client of a kind compute for the server. It is there when the first task is done. */
export async function startClient(
  server: Server,
  kind: ClientKind,
  slots: number,
  flags: readonly string[] = [],
): Promise<void> {
  if (kind === "chromium") return openTab(server, slots);
  const cache = await temporary("cache");
  const args = [
    "client",
    "--server",
    server.url,
    "--slots",
    `${slots}`,
    "--cache-dir",
    cache,
    "--log-level",
    "warn",
    ...flags,
  ];
  startProgram(process.execPath, [launcher, ...args], { MANYHANDS_TOKEN: server.token });
}

/** The volunteer page in a real Chromium, as a kiosk opens it: it starts by itself. */
async function openTab(server: Server, slots: number): Promise<void> {
  const browser = await launchBrowser({ isolateSandboxes: true });
  process.on("exit", () => browser.process()?.kill("SIGKILL"));
  const page = await browser.newPage();
  // The choice that the page's own slider keeps.
  const settings = JSON.stringify(JSON.stringify({ slots, keepAwake: false }));
  await page.evaluateOnNewDocument(`localStorage.setItem("manyhands.settings", ${settings})`);
  await page.goto(`${server.url}/?auto=1`);
  // DevTools would be told of every request and frame, body included, and this process would parse that: reconstruct's stage
  // Insert, with outputs of 7 MB, took 5.9 s with it and 1.6 s without.
  await browser.disconnect();
}
