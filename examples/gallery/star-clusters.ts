/**
 * Clusters of stars whose speeds at the start are right, or too low, with the forces of all pairs: on the graphics processors of pages
 * with `--webgpu`, else in JavaScript by whoever is there (docs/webgpu.md).
 *
 *     npx manyhands run examples/gallery/star-clusters.ts [--webgpu]       # --help tells more
 *
 * Theory says three things about the answer: energy is conserved; a cluster in balance keeps the size of Plummer's model; and every cluster ends
 * in balance, twice its kinetic energy equal to its potential one (the virial theorem). The picture is star-clusters.png, which is on the
 * job's page, too.
 */
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { kernelModule, parallelOption } from "../../parallel/index.ts";
import { Canvas, type Colour } from "../../science/draw/canvas.ts";
import { Plot } from "../../science/draw/plot.ts";
import { stepsPerRadius, stepTime, type default as nBodyKernel, type Evolved } from "../kernels/n-body.ts";
import { whole } from "../lib/program.ts";
import { speedUp } from "../lib/speed-up.ts";

const command = new Command("star-clusters")
  .option("--stars <n>", "stars of a cluster, an even number", whole(2), 512)
  .option("--steps <n>", "steps of 1/128 of the unit of time", whole(16), 512)
  .option("--clusters <n>", "clusters of each speed, with other stars", whole(2), 4)
  .option("--webgpu", "only on graphics processors", false)
  .option("--out <file>", "the picture", "star-clusters.png");
const connect = parallelOption(command);
const { stars, steps, clusters, webgpu, out } = command.parse().opts<{
  stars: number;
  steps: number;
  clusters: number;
  webgpu: boolean;
  out: string;
}>();
/** Radius of half of the stars of Plummer's model, whose length is 3π/16. */
const plummerHalf = (3 * Math.PI) / 16 / Math.sqrt(2 ** (2 / 3) - 1);
const kinds: readonly (readonly [speed: number, name: string, colour: Colour])[] = [
  [0.3, "speeds of 0.3: it collapses", [163, 52, 92]],
  [0.7, "0.7: it shrinks", [47, 111, 176]],
  [1, "1: in balance", [10, 124, 90]],
];

await using hands = await connect();
const nBody = kernelModule<typeof nBodyKernel>(new URL("../kernels/n-body.ts", import.meta.url));
const tasks = kinds.flatMap(([speed]) =>
  Array.from({ length: clusters }, (_, seed) => ({ stars, seed, speed, steps })),
);
const job = hands.map(nBody, tasks, { name: "Star clusters", requires: webgpu ? { webgpu } : {} });
const evolved = await job;
const ofKind = (kind: number): Evolved[] => evolved.slice(kind * clusters, (kind + 1) * clusters);
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

const changes = evolved.map(({ energyBefore, energyAfter }) => Math.abs(energyAfter / energyBefore - 1));
const change = Math.max(...changes);
console.log(`energy of ${evolved.length} clusters conserved within ${(100 * change).toFixed(2)} %`);
const sizes = kinds.map((_, kind) => {
  const each = ofKind(kind).map(({ halfRadii }) => halfRadii);
  return each[0]!.map((_, at) => mean(each.map((radii) => radii[at]!)));
});
const kept = mean(sizes[2]!);
console.log(
  `in balance: half of the stars within ${kept.toFixed(3)} on average; Plummer: ${plummerHalf.toFixed(3)}`,
);
const ratios = kinds.map((_, kind) => mean(ofKind(kind).map(({ virialRatio }) => virialRatio)));
console.log(`virial ratios at the end: ${ratios.map((ratio) => ratio.toFixed(3)).join(", ")}; theory: 1`);

const canvas = new Canvas(1000, 680, [255, 255, 255]);
const most = Math.ceil(Math.max(...sizes.flat()) * 2 + 0.5) / 2;
const unit = Math.max(0.5, Math.round((steps * stepTime) / 8));
const plot = new Plot(
  canvas,
  `Sizes of clusters of ${stars} stars`,
  { x: 0, y: 0, width: 1000, height: 680 },
  {
    x: { label: "Time (units of N bodies)", from: 0, to: steps * stepTime, step: unit },
    y: { label: "Radius of half of the stars", from: 0, to: most, step: 0.5 },
  },
);
for (const [kind, [, name, colour]] of kinds.entries()) {
  plot.line(
    sizes[kind]!.map((size, at) => [at * stepsPerRadius * stepTime, size]),
    colour,
  );
  plot.name(name, colour);
}
const picture = canvas.encode();
await writeFile(out, picture);
await job.attach("star-clusters.png", picture);
console.log(await speedUp([job]));
// Few stars are a rough model.
const isPlummer = Math.abs(kept / plummerHalf - 1) < 3 / Math.sqrt(stars);
if (change > 0.001 || !isPlummer || ratios.some((ratio) => Math.abs(ratio - 1) > 0.15)) process.exitCode = 1;
