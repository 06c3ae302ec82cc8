/**
 * `node manyhands-reconstruct.ts [--client node|chromium] [--slots 2] [--particles 1000] [--box 64] [--known]`: seconds of a round of
 * reconstruction on one client, and of each of its stages; with `--known` poses, of insertion into the maps alone.
 */
import { parseArgs } from "node:util";
import { computeOnHands } from "../../../science/compute-hands.ts";
import { connectTo, startClient, startServer, unyielding } from "../support/platform.ts";
import { report } from "../support/report.ts";
import { insertOnce, makeParticles, reconstructOnce } from "./reconstruct.ts";

const { values } = parseArgs({
  options: {
    client: { type: "string", default: "node" },
    slots: { type: "string", default: "2" },
    particles: { type: "string", default: "1000" },
    box: { type: "string", default: "64" },
    known: { type: "boolean", default: false },
  },
});
const slots = Number(values.slots);
const box = Number(values.box);
const particles = await makeParticles(Number(values.particles), box);
const warm = await makeParticles(60, box);
const server = await startServer();
const kind = values.client === "chromium" ? "lab-chromium" : "node";
await startClient(server, kind, slots, unyielding);
const hands = await connectTo(server);
// The first round waits for the client, its slots and its kernels, and is not counted.
const [before, counted] = ["warm", "bench"].map((name) => computeOnHands(hands, { name }));
if (values.known) {
  await insertOnce(before!, warm);
  report(await insertOnce(counted!, particles));
} else {
  await reconstructOnce(before!, warm);
  const { total, ...stages } = await reconstructOnce(counted!, particles);
  report(total ?? NaN, stages);
}
