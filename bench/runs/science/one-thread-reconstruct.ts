/** The same round of reconstruction by the same kernels in this thread, without server, client and sandbox. */
import { parseArgs } from "node:util";
import { computeHere } from "../../../science/compute-here.ts";
import { report } from "../support/report.ts";
import { insertOnce, makeParticles, reconstructOnce } from "./reconstruct.ts";

const { values } = parseArgs({
  options: {
    particles: { type: "string", default: "1000" },
    box: { type: "string", default: "64" },
    known: { type: "boolean", default: false },
  },
});
const box = Number(values.box);
const particles = await makeParticles(Number(values.particles), box);
const warm = await makeParticles(60, box);
if (values.known) {
  await insertOnce(computeHere(), warm);
  report(await insertOnce(computeHere(), particles));
} else {
  await reconstructOnce(computeHere(), warm);
  const { total, ...stages } = await reconstructOnce(computeHere(), particles);
  report(total ?? NaN, stages);
}
