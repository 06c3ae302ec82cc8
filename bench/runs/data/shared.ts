/**
 * Number of times that a blob leaves the server for 4 headless clients of one machine that all need it, on one cache directory:
 * `node bench/runs/data/shared.ts [--mib 8] [--clients 4]`. 1 is the goal. Counted between clients and server, by bytes.
 */
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DataReference } from "../../../customer/index.ts";
import { makeBlobs } from "../support/blobs.ts";
import { temporaryDirectory } from "../support/children.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { connectTo, startNodeClient, startServer } from "../support/platform.ts";
import { report, rounded } from "../support/report.ts";

const { values } = parseArgs({
  options: { mib: { type: "string", default: "8" }, clients: { type: "string", default: "4" } },
});
const clients = Number(values.clients);

const server = await startServer();
const { proxy, port } = await CountingProxy.open(server.url);
const hands = await connectTo(server);
const [blob] = makeBlobs({ mib: Number(values.mib), blobs: 1 });
const reference = await hands.put(blob!);
const address = { url: `http://127.0.0.1:${port}`, token: server.token };
const cache = temporaryDirectory();
for (let at = 0; at < clients; at++) startNodeClient(address, { flags: ["--slots", "1"], cache });
while ((await hands.clients()).length < clients) await wait(50);
const lengths = await hands.map(
  async (wanted: DataReference, ctx) => {
    const bytes = await ctx.data(wanted);
    // Long enough that each of the clients takes part.
    const end = Date.now() + 500;
    while (Date.now() < end);
    return bytes.length;
  },
  Array.from({ length: clients * 3 }, () => reference),
  { math: "native" },
);
if (lengths.some((length) => length !== reference.size)) throw new Error("not the bytes that were put");
const took = (await hands.clients()).filter(({ done }) => done > 0).length;
if (took < clients) throw new Error(`only ${took} of ${clients} clients took part`);
report(rounded(proxy.before(Infinity) / reference.size, 2), { clientsThatComputed: took });
