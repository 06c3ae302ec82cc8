/**
 * The ceiling: a queue in a server's memory between a customer and a worker, each in a process of its own: no disk, sandbox or
 * leases. `--batch 1`: so many tasks a message.
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { startScript } from "../support/children.ts";
import { measureDispatch } from "./measure.ts";

const { values } = parseArgs({ options: { batch: { type: "string", default: "1" } }, strict: false });
const batch = Number(values.batch);
const url = await startScript("dispatch/ws-queue-server.ts").line();
await startScript("dispatch/ws-queue-worker.ts", [url]).line();
const socket = new WebSocket(`${url}/customer`);
await once(socket, "open");

await measureDispatch(async (inputs) => {
  const outputs: string[] = [];
  const all = Promise.withResolvers<void>();
  const take = (data: Buffer): void => {
    for (const [, output] of JSON.parse(data.toString()) as [number, string][]) outputs.push(output);
    if (outputs.length === inputs.length) all.resolve();
  };
  socket.on("message", take);
  for (let at = 0; at < inputs.length; at += batch) socket.send(JSON.stringify(inputs.slice(at, at + batch)));
  await all.promise;
  socket.off("message", take);
  return outputs;
});
