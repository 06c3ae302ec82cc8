/**
 * `node manyhands-reconstruct.ts [--client node|chromium] [--slots 2] [--particles 1000]`: seconds of a round of reconstruction on
 * one client, and of each of its stages.
 */
import { parseArgs } from "node:util";
import { computeOnHands } from "../../../science/compute-hands.ts";
import { connectTo, startClient, startServer, type ClientKind } from "../support/platform.ts";
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
// A volunteer's kernels yield to the machine's user; here nothing may come before them, as nothing does in the peer's.
const flags = values.client === "node" ? ["--nice", "0"] : [];
await startClient(server, values.client as ClientKind, slots, flags);
const hands = await connectTo(server);
// Starts the client, its slots and its kernels, and is not counted.
await reconstructOnce(computeOnHands(hands, { name: "warm" }), warm);
const { total, ...stages } = await reconstructOnce(computeOnHands(hands, { name: "bench" }), particles);
report(total ?? NaN, stages);
