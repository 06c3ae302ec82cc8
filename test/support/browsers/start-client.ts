import { onTestFinished } from "vitest";
import { startClientProcess } from "../processes.ts";
import { engines, whySkipped, type Engine } from "./engines.ts";
import { launchEngine } from "./launch-engine.ts";

/** Kinds of clients: the client command, and the volunteer page in each engine. */
export const clientKinds = ["node", "chromium", "firefox", "webkit"] as const satisfies ("node" | Engine)[];
export type ClientKind = (typeof clientKinds)[number];

/** Whether this machine can start a client of a kind, and the end of titles of tests that need it. */
export function availability(kind: ClientKind): { isMissing: boolean; why: string } {
  return kind === "node"
    ? { isMissing: false, why: "" }
    : { isMissing: !engines[kind], why: whySkipped(kind) };
}

/** Starts a client of a server for the time of a test; a page in a browser of its own. */
export async function startClient(kind: ClientKind, server: { url: string; token: string }): Promise<void> {
  if (kind === "node") {
    await startClientProcess(server);
    return;
  }
  const browser = await launchEngine(kind);
  onTestFinished(() => browser.close());
  await (await browser.newTab()).open(`${server.url}/?auto=1`);
}
