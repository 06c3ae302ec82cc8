/**
 * Polar surface areas, which tell how well a drug passes through membranes, by OpenChemLib (npm's `openchemlib`, bundled into the kernel):
 * of 4,978 compounds beside the published values in data/NCI_5K_TPSA.csv, and of 50,000 natural products of ZINC.
 *
 *     npx manyhands run examples/gallery/polar-surface.ts       # --help tells more
 *
 * 98 % of the published values agree within 0.01 Å². The others lie in rings that OpenChemLib does not take to be aromatic, such as pyrones,
 * and differ by at most 12 Å². The mean of the natural products is compared with that of RDKit. The picture is polar-surface.png, which is on
 * the job's page, too.
 */
import { readFile, writeFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { Command } from "commander";
import { kernelModule, parallelOption } from "../../parallel/index.ts";
import { Canvas } from "../../science/draw/canvas.ts";
import { Plot } from "../../science/draw/plot.ts";
import type polarSurfaceKernel from "../kernels/polar-surface.ts"; // for its type only
import { whole } from "../lib/program.ts";
import { speedUp } from "../lib/speed-up.ts";

const command = new Command("polar-surface")
  .option("--products <n>", "natural products", whole(1), 50_000)
  .option("--out <file>", "the picture", "polar-surface.png");
const connect = parallelOption(command);
const { products, out } = command.parse().opts<{ products: number; out: string }>();
const perTask = 250;
/** Average of `CalcTPSA` of RDKit 2022.09.3 over all 50,000, Å². */
const ofRdkit = 77.83;

const read = (name: string): Promise<Buffer> => readFile(new URL(`../../data/${name}`, import.meta.url));
const rows = (await read("NCI_5K_TPSA.csv"))
  .toString()
  .trim()
  .split("\n")
  .filter((row) => !row.startsWith("#"));
const published = rows.map((row) => Number(row.slice(row.lastIndexOf(",") + 1)));
const compounds = rows.map((row) => row.slice(0, row.lastIndexOf(",")));
const lines = gunzipSync(await read("znp.50k.smi.gz"))
  .toString()
  .trim()
  .split("\n");
const natural = lines.slice(0, products).map((line) => line.split(" ")[0]!);

await using hands = await connect();
const kernel = kernelModule<typeof polarSurfaceKernel>(
  new URL("../kernels/polar-surface.ts", import.meta.url),
);
const molecules = [...compounds, ...natural];
const tasks = Array.from({ length: Math.ceil(molecules.length / perTask) }, (_, i) =>
  molecules.slice(i * perTask, (i + 1) * perTask),
);
const job = hands.map(kernel, tasks, { name: "Polar surface areas" });
const areas = (await job).flatMap((part) => [...part]);

const computed = areas.slice(0, compounds.length);
const differences = computed.map((area, i) => Math.abs(area - published[i]!));
const agree = differences.filter((difference) => difference < 0.011).length;
const largest = Math.max(...differences);
console.log(
  `${agree} of ${compounds.length} published areas agree within 0.01 Å², the others within ${largest.toFixed(1)} Å²`,
);
const ofProducts = areas.slice(compounds.length);
const mean = ofProducts.reduce((sum, area) => sum + area, 0) / ofProducts.length;
const small = ofProducts.filter((area) => area <= 140).length;
console.log(
  `${natural.length} natural products: ${mean.toFixed(2)} Å² on average, ${((100 * small) / natural.length).toFixed(1)} % up to 140 Å²`,
);
const off = Math.abs(mean / ofRdkit - 1);
if (products === 50_000)
  console.log(`RDKit's average of these is ${ofRdkit} Å²: agrees within ${(100 * off).toFixed(1)} %`);

const canvas = new Canvas(1640, 720, [255, 255, 255]);
const beside = new Plot(
  canvas,
  `${compounds.length} compounds of the NCI`,
  { x: 0, y: 0, width: 760, height: 720 },
  {
    x: { label: "Published area (Å²)", from: 0, to: 400, step: 100 },
    y: { label: "Computed area (Å²)", from: 0, to: 400, step: 100 },
  },
);
for (const [i, area] of computed.entries())
  if (area < 400) beside.dot([published[i]!, area], [47, 111, 176], 4, 0.5);
const counts = Array.from({ length: 60 }, () => 0);
for (const area of ofProducts) counts[Math.min(59, Math.floor(area / 5))]!++;
const highest = Math.max(...counts);
const step = 10 ** Math.floor(Math.log10(highest)) / 2;
const spread = new Plot(
  canvas,
  `${natural.length} natural products of ZINC`,
  { x: 800, y: 0, width: 840, height: 720 },
  {
    x: { label: "Area (Å²)", from: 0, to: 300, step: 50 },
    y: { label: "Molecules in 5 Å²", from: 0, to: Math.ceil(highest / step) * step, step },
  },
);
for (const [i, count] of counts.entries()) spread.bar(5 * i, 5 * (i + 1), count, [10, 124, 90]);
spread.line([[140, 0], [140, highest]], [163, 52, 92]); // prettier-ignore
spread.name("140 Å²: above it few are absorbed by the gut", [163, 52, 92]);
const picture = canvas.encode();
await writeFile(out, picture);
await job.attach("polar-surface.png", picture);
console.log(await speedUp([job]));
if (agree < 0.97 * compounds.length || largest > 12 || (products === 50_000 && off > 0.02))
  process.exitCode = 1;
