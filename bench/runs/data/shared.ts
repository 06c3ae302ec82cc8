/**
 * Number of times that a blob leaves the server for several clients of one machine that all need it:
 * `node bench/runs/data/shared.ts [--kind node|tabs|browsers] [--mib 8] [--clients 4]`. Counted between clients and server, by bytes.
 * node: headless clients on one cache directory. tabs: tabs of a Chromium. browsers: profiles of it, each with a tab.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { launchBrowser } from "../../../scripts/launch-browser.ts";
import type { DataReference } from "../../../customer/index.ts";
import { makeBlobs } from "../support/blobs.ts";
import { temporaryDirectory } from "../support/children.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { connectTo, startNodeClient, startServer } from "../support/platform.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: {
    kind: { type: "string", default: "node" },
    mib: { type: "string", default: "8" },
    clients: { type: "string", default: "4" },
  },
});
const clients = Number(values.clients);

const server = await startServer();
const { proxy, port } = await CountingProxy.open(server.url);
const hands = await connectTo(server);
const [blob] = makeBlobs({ mib: Number(values.mib), blobs: 1 });
const reference = await hands.put(blob!);
const address = { url: `http://127.0.0.1:${port}`, token: server.token };

/** Each starts the clients. @returns how many of them compute */
const kinds: Record<string, () => Promise<number>> = {
  async node() {
    const cache = temporaryDirectory();
    for (let at = 0; at < clients; at++) startNodeClient(address, { flags: ["--slots", "1"], cache });
    return clients;
  },
  async tabs() {
    const browser = await launchBrowser();
    for (let at = 0; at < clients; at++) await (await browser.newPage()).goto(`${address.url}/?auto=1`);
    return 1;
  },
  async browsers() {
    const browser = await launchBrowser();
    for (let at = 0; at < clients; at++) {
      const profile = await browser.createBrowserContext();
      await (await profile.newPage()).goto(`${address.url}/?auto=1`);
    }
    return clients;
  },
};
const start = kinds[values.kind];
if (!start) throw new Error(`--kind ${values.kind}: expected one of ${Object.keys(kinds).join(", ")}.`);
const computing = await start();
while ((await hands.clients()).filter(({ connected }) => connected).length < computing) await wait(50);
// The code of pages is not counted.
await wait(4000);
const before = proxy.before(Infinity);
const lengths = await hands.map(
  async (wanted: DataReference, ctx) => {
    const bytes = await ctx.data(wanted);
    // Long enough that each of the clients takes part.
    const end = Date.now() + 500;
    while (Date.now() < end);
    return bytes.length;
  },
  Array.from({ length: clients * 3 }, () => reference),
  { math: "native", verify: "off" },
);
if (lengths.some((length) => length !== reference.size)) throw new Error("not the bytes that were put");
const took = (await hands.clients()).filter(({ done }) => done > 0).length;
if (took < computing) throw new Error(`only ${took} of ${computing} clients took part`);
report(rounded((proxy.before(Infinity) - before) / reference.size, 2), { clientsThatComputed: took });
