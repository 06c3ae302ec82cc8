/**
 * The same round of reconstruction by the same kernels in this thread, without server, client and sandbox; with `--processes 2` in two processes
 * with half of the particles each, at once: what the machine's cores can do together.
 */
import { execFile } from "node:child_process";
import { parseArgs, promisify } from "node:util";
import { computeHere } from "../../../science/compute-here.ts";
import { report } from "../support/report.ts";
import { insertOnce, makeParticles, reconstructOnce } from "./reconstruct.ts";

const { values } = parseArgs({
  options: {
    particles: { type: "string", default: "1000" },
    box: { type: "string", default: "64" },
    known: { type: "boolean", default: false },
    processes: { type: "string", default: "1" },
  },
});
const processes = Number(values.processes);
const box = Number(values.box);
const count = Math.floor(Number(values.particles) / processes);
if (processes > 1) report(Math.max(...(await Promise.all(Array.from({ length: processes }, part)))));
else {
  const particles = await makeParticles(count, box);
  const warm = await makeParticles(60, box);
  if (values.known) {
    await insertOnce(computeHere(), warm);
    report(await insertOnce(computeHere(), particles));
  } else {
    await reconstructOnce(computeHere(), warm);
    const { total, ...stages } = await reconstructOnce(computeHere(), particles);
    report(total ?? NaN, stages);
  }
}

/** @returns the seconds of a process */
async function part(): Promise<number> {
  const args = [
    import.meta.filename,
    `--particles=${count}`,
    `--box=${box}`,
    ...(values.known ? ["--known"] : []),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return (JSON.parse(stdout) as { value: number }).value;
}
