/** `node manyhands.ts [--client node|chromium] [--slots 2] [--tasks 20000]` */
import { parseArgs } from "node:util";
import { connectTo, startClient, startServer, type ClientKind } from "../support/platform.ts";
import { measureDispatch } from "./measure.ts";

const { values } = parseArgs({
  options: { client: { type: "string", default: "node" }, slots: { type: "string", default: "2" } },
  strict: false,
});

const echo = (input: string): string => input;

const server = await startServer();
await startClient(server, values.client as ClientKind, Number(values.slots));
const hands = await connectTo(server);
await measureDispatch(async (inputs) => hands.map(echo, inputs));
