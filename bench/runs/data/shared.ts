/**
 * How many times a blob leaves the server for 4 headless clients of one machine that all need it, on one cache directory:
 * `node bench/runs/data/shared.ts [--mib 64] [--clients 4]`. 1 is the goal. Counted between clients and server, by bytes.
 */
import { parseArgs } from "node:util";
import { connect, type DataReference } from "../../../customer/index.ts";
import { makeBlobs } from "../support/blobs.ts";
import { CountingProxy } from "../support/counting-proxy.ts";
import { measureRun, startClient, startServer, temporaryDirectory } from "../support/processes.ts";

const { values } = parseArgs({
  options: { mib: { type: "string", default: "8" }, clients: { type: "string", default: "4" } },
});
const mib = Number(values.mib);
const clients = Number(values.clients);

await measureRun(async () => {
  const server = await startServer();
  const { proxy, port } = await CountingProxy.open(server.url);
  const hands = await connect(server.url, { token: server.token });
  const [blob] = makeBlobs({ mib, blobs: 1 });
  if (!blob) throw new Error("no blob");
  const reference = await hands.put(blob);
  const cache = await temporaryDirectory();
  for (let at = 0; at < clients; at++)
    await startClient({ url: `http://127.0.0.1:${port}`, token: server.token }, ["--slots", "1"], { cache });
  while ((await hands.clients()).length < clients) await new Promise((resolve) => setTimeout(resolve, 50));
  // Long enough that each of the clients takes part.
  const kernel = async (
    wanted: DataReference,
    ctx: { data(reference: DataReference): Promise<Uint8Array> },
  ): Promise<number> => {
    const bytes = await ctx.data(wanted);
    const end = Date.now() + 500;
    while (Date.now() < end);
    return bytes.length;
  };
  const lengths = await hands.map(
    kernel,
    Array.from({ length: clients * 3 }, () => reference),
  );
  if (lengths.some((length) => length !== reference.size)) throw new Error("not the bytes that were put");
  const took = (await hands.clients()).filter(({ done }) => done > 0).length;
  hands.close();
  if (took < clients) throw new Error(`only ${took} of ${clients} clients took part`);
  return { value: Number((proxy.before(Infinity) / reference.size).toFixed(2)), clientsThatComputed: took };
});
