import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "../../../customer/connect.ts";
import type { Hands } from "../../../customer/hands.ts";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import { startProgram, temporaryDirectory, type Child } from "./children.ts";

const launcher = join(import.meta.dirname, "..", "..", "..", "bin", "manyhands.js");

/** Address and admin token of a server. */
export interface Address {
  readonly url: string;
  readonly token: string;
}

/** A server as a user starts it, on a port of its own. */
export interface Server extends Child, Address {
  readonly data: string;
}

interface NodeOptions {
  readonly flags?: readonly string[];
  readonly nodeFlags?: readonly string[];
}

export type ClientKind = "node" | "chromium";

/** Starts `manyhands server` with everything at its default, and waits until it is ready. */
export async function startServer({
  data = temporaryDirectory(),
  flags = [],
  nodeFlags = [],
  env = {},
}: NodeOptions & { readonly data?: string; readonly env?: Record<string, string> } = {}): Promise<Server> {
  const args = ["server", "--json", "--port", "0", "--data", data, "--log-level", "warn", ...flags];
  const child = startProgram(process.execPath, [...nodeFlags, launcher, ...args], {
    ...env,
    XDG_STATE_HOME: join(data, "state"),
  });
  const { url, tokenFile } = JSON.parse(await child.line()) as { url: string; tokenFile: string };
  return { ...child, url, data, token: (await readFile(tokenFile, "utf8")).trim() };
}

/** The customer: the SDK in this process. */
export function connectTo({ url, token }: Address): Promise<Hands> {
  return connect(url, { token });
}

/**
 * Flags of a client whose kernels do not yield to other programs of the machine, as those of a volunteer do: the peers' do not
 * yield either.
 */
export const unyielding = ["--nice", "0"] as const;

/**
 * Makes one client of a kind compute for the server. The client is there when the first task is done. A tab is a stranger, whose results
 * are audited unless the job says otherwise, or a lab's, which was opened with its link.
 */
export async function startClient(
  server: Address,
  kind: ClientKind | "lab-chromium",
  slots: number,
  flags: readonly string[] = [],
): Promise<void> {
  if (kind === "chromium") return openTab(server, slots);
  if (kind === "lab-chromium") return openTab(server, slots, await labToken(server));
  startNodeClient(server, { flags: ["--slots", `${slots}`, ...flags] });
}

/** Starts `manyhands client`, on a cache directory of its own unless told otherwise. */
export function startNodeClient(
  { url, token }: Address,
  {
    flags = [],
    nodeFlags = [],
    cache = temporaryDirectory(),
  }: NodeOptions & { readonly cache?: string } = {},
): Child {
  const args = ["client", "--server", url, "--cache-dir", cache, "--log-level", "warn", ...flags];
  return startProgram(process.execPath, [...nodeFlags, launcher, ...args], { MANYHANDS_TOKEN: token });
}

async function labToken(server: Address): Promise<string> {
  const hands = await connectTo(server);
  const { token } = await hands.api.createToken("client", "lab");
  hands.close();
  return token;
}

/** The volunteer page in a real Chromium, as a kiosk opens it: it starts by itself. */
async function openTab(server: Address, slots: number, invitation = ""): Promise<void> {
  const browser = await launchBrowser({ isolateSandboxes: true });
  const page = await browser.newPage();
  // The choice that the page's own slider keeps.
  const settings = JSON.stringify(JSON.stringify({ slots, keepAwake: false }));
  await page.evaluateOnNewDocument(`localStorage.setItem("manyhands.settings", ${settings})`);
  await page.goto(`${server.url}/?auto=1${invitation && `&invite=${invitation}`}`);
  // DevTools tells this process of every request and frame, body included, and parsing that slows the customer.
  await browser.disconnect();
}
