/** The same round of reconstruction by the same kernels in this thread, without server, client and sandbox. */
import { parseArgs } from "node:util";
import { computeHere } from "../../../science/compute-here.ts";
import { report } from "../support/report.ts";
import { makeParticles, reconstructOnce } from "./reconstruct.ts";

const { values } = parseArgs({
  options: { particles: { type: "string", default: "1000" } },
});
const particles = await makeParticles(Number(values.particles));
await reconstructOnce(computeHere(), await makeParticles(60));
const { total, ...stages } = await reconstructOnce(computeHere(), particles);
report(total ?? NaN, stages);
