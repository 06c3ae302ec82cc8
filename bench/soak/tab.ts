import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { WebSocket } from "ws";
import { launchBrowser } from "../../scripts/launch-browser.ts";
import type { Address } from "../runs/support/platform.ts";

/** A tab that computes, in a Chromium of its own. */
export interface Tab {
  /** First process of the browser. */
  readonly pid: number;
  /** The JavaScript heap of the page, in bytes. */
  heapBytes(): Promise<number>;
  /** Bytes that IndexedDB takes on disk. */
  storedBytes(): Promise<number>;
  close(): void;
}

/** Opens the volunteer page as a kiosk does, and leaves it alone. */
export async function openTab({ url }: Address, slots: number): Promise<Tab> {
  const browser = await launchBrowser({ isolateSandboxes: true });
  const page = await browser.newPage();
  const settings = JSON.stringify(JSON.stringify({ slots, keepAwake: false }));
  await page.evaluateOnNewDocument(`localStorage.setItem("manyhands.settings", ${settings})`);
  await page.goto(`${url}/?auto=1`);
  const process = browser.process()!;
  const profile = process.spawnargs.find((arg) => arg.startsWith("--user-data-dir="))!.split("=")[1]!;
  const { host } = new URL(browser.wsEndpoint());
  const { targetInfos } = await (await browser.target().createCDPSession()).send("Target.getTargets");
  const { targetId } = targetInfos.find((info) => info.type === "page" && info.url.startsWith(url))!;
  // Puppeteer has the browser keep bodies of requests, up to 100 MiB a tab, which would look like a leak.
  await browser.disconnect();
  return {
    pid: process.pid!,
    heapBytes: () => heapBytes(`ws://${host}/devtools/page/${targetId}`),
    storedBytes: () => bytesBelow(join(profile, "Default", "IndexedDB")),
    close: () => void process.kill(),
  };
}

/** Asks a page for the used size of its heap, over a DevTools connection that enables no other domain. */
async function heapBytes(endpoint: string): Promise<number> {
  const socket = new WebSocket(endpoint);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("DevTools closed the connection.")));
    socket.on("open", () => socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" })));
    socket.on("message", (data: Buffer) => {
      const { result } = JSON.parse(data.toString()) as { result: { usedSize: number } };
      resolve(result.usedSize);
    });
    return await promise;
  } finally {
    socket.close();
  }
}

async function bytesBelow(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  // A file may be gone by now.
  const sizes = names.map(
    async (name) => (await stat(join(directory, name)).catch(() => undefined))?.size ?? 0,
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
