/**
 * `node manyhands-reconstruct.ts [--client node|chromium] [--slots 2] [--particles 1000]`: seconds of a round of reconstruction on
 * one client, and of each of its stages.
 */
import { parseArgs } from "node:util";
import { computeOnHands } from "../../../science/compute-hands.ts";
import { connectTo, startClient, startServer, unyielding, type ClientKind } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { makeParticles, reconstructOnce } from "./reconstruct.ts";

const { values } = parseArgs({
  options: {
    client: { type: "string", default: "node" },
    slots: { type: "string", default: "2" },
    particles: { type: "string", default: "1000" },
  },
});
const slots = Number(values.slots);
const particles = await makeParticles(Number(values.particles));
const warm = await makeParticles(60);
const server = await startServer();
await startClient(server, values.client as ClientKind, slots, unyielding);
const hands = await connectTo(server);
// The first round waits for the client, its slots and its kernels, and is not counted.
await reconstructOnce(computeOnHands(hands, { name: "warm" }), warm);
const { total, ...stages } = await reconstructOnce(computeOnHands(hands, { name: "bench" }), particles);
report(total ?? NaN, stages);
