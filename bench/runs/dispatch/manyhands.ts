/** `node manyhands.ts [--client node|chromium] [--verify off|audit] [--slots 2] [--tasks 20000]` */
import { parseArgs } from "node:util";
import { connectTo, startClient, startServer, type ClientKind } from "../support/platform.ts";
import type { Verify } from "../../../shared/wire/rest/verification.ts";
import { measureDispatch } from "./measure.ts";

const { values } = parseArgs({
  options: {
    client: { type: "string", default: "node" },
    verify: { type: "string", default: "off" },
    slots: { type: "string", default: "2" },
  },
  strict: false,
});

const echo = (input: string): string => input;

const server = await startServer();
await startClient(server, values.client as ClientKind, Number(values.slots));
const hands = await connectTo(server);
const verify = values.verify as Verify;
await measureDispatch(async (inputs) => hands.map(echo, inputs, { verify }));
