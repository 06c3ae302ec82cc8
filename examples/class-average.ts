/**
 * Class averages: the particles of each class are aligned to their average and averaged again, in several rounds, as by EMAN2's
 * e2classaverage.py. Each class is a task.
 *
 *     npx manyhands run examples/class-average.ts --sample 400                    (makes its own data from data/betaGal.mrc)
 *     npx manyhands run examples/class-average.ts simmx/classes.star --references references.mrcs --out averages
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { classAverages, type ClassAverage, type ParticleClass } from "../science/class-average.ts";
import { drawImageRows } from "../science/draw/image-sheet.ts";
import { faultOf } from "../science/image-quality.ts";
import { writeMrc } from "../science/mrc.ts";
import { imageName, starTable } from "../science/star.ts";
import { addAligned } from "../science/kernels/math/transform-image.ts";
import { addComparisonOptions, comparisonSettings, type ComparisonOptions } from "./lib/comparison.ts";
import { caveats, readImages, type ImageSet } from "./lib/images.ts";
import { pathsSummary, resultStar } from "./lib/particle-output.ts";
import {
  describeProgram,
  oneInput,
  part,
  readOptions,
  whole,
  type ProgramOptions,
  type Workplace,
} from "./lib/program.ts";
import { writeClassSample } from "./lib/sample.ts";
import { makeDirectory } from "../system/make-directory.ts";

interface Options extends ProgramOptions, ComparisonOptions {
  readonly references?: string;
  readonly iterations: number;
  readonly keep: number;
}

const program = describeProgram(
  "class-average",
  "Align and average the particles of each class.",
  "class-averages",
);
await addComparisonOptions(program.command)
  .argument("[particles]", "RELION .star with rlnClassNumber, or a .mrcs stack, which is one class")
  .option(
    "--references <file>",
    "stack that class n begins with image n of (default: classes find their own)",
  )
  .option("--iterations <n>", "rounds of alignment and averaging", whole(1), 4)
  .option("--keep <part>", "part of each class that is averaged, the best-matching ones", part, 0.9)
  .action((particles: string | undefined, options: Options) =>
    program.run((at) => classAverage(at, particles, options)),
  )
  .parseAsync();

async function classAverage(
  { compute, stage, warn }: Workplace,
  particleFile: string | undefined,
  options: Options,
): Promise<string> {
  const files = await inputFiles(particleFile, options);
  const how = readOptions(options, warn);
  const particles = await readImages(files.particles, how);
  const otherwise = particles.pixelSize;
  const references =
    files.references === undefined
      ? undefined
      : await readImages(files.references, { ...how, otherwise, counted: true });
  const classes = classesOf(particles, references);
  const averages = await stage("Average classes", (onProgress) =>
    classAverages(compute, particles.images, particles.box, classes, {
      name: "Average classes",
      onProgress,
      ...comparisonSettings(particles, options),
      iterations: options.iterations,
      keep: options.keep,
    }),
  );
  await writeResults(options, particles, averages);
  const used = averages.flatMap(({ members }) => members).filter(({ kept }) => kept).length;
  return [
    `${averages.length} averages of ${used} of ${particles.count} particles`,
    ...caveats(particles),
    `${options.out}/: averages.mrcs, averages.star, aligned.star, averages.png`,
    pathsSummary("aligned.star", options),
  ].join("\n");
}

async function inputFiles(
  particles: string | undefined,
  { sample, box, snr, out, references }: Options,
): Promise<{ references?: string; particles: string }> {
  oneInput(sample, particles, references);
  if (sample !== undefined)
    return {
      particles: (await writeClassSample(join(out, "sample"), 8, { particles: sample, box, snr })).particles,
    };
  if (particles !== undefined) return { particles, ...(references !== undefined && { references }) };
  throw new RangeError("particles were expected, or --sample; --help tells more");
}

/** The classes 1 … n of the particles, each with its reference if there are references. */
function classesOf({ rows, box }: ImageSet, references: ImageSet | undefined): ParticleClass[] {
  if (references && references.box !== box)
    throw new RangeError(
      `references of ${references.box} pixels, particles of ${box}: equal boxes were expected`,
    );
  const last = rows.reduce((most, row) => Math.max(most, row.class ?? 1), references?.count ?? 1);
  if (references && last > references.count)
    throw new RangeError(
      `class ${last}${rowOf(rows.find((row) => row.class === last)?.row)} has no reference; there are ${references.count}`,
    );
  const members = Array.from({ length: last }, (): number[] => []);
  rows.forEach((row, i) => members[(row.class ?? 1) - 1]!.push(i));
  return members.map((own, i) => {
    if (!references) return { members: own };
    const reference = references.images.subarray(i * box * box, (i + 1) * box * box);
    if (own.length > 0 && faultOf(reference))
      throw new RangeError(`reference ${i + 1} is blank, and class ${i + 1} has ${own.length} particles`);
    return { members: own, reference };
  });
}

function rowOf(row: number | undefined): string {
  return row === undefined ? "" : ` (row ${row + 1})`;
}

async function writeResults(
  options: Options,
  particles: ImageSet,
  averages: readonly ClassAverage[],
): Promise<void> {
  const { out } = options;
  makeDirectory(out);
  const { box, pixelSize } = particles;
  const stack = new Float32Array(averages.length * box * box);
  averages.forEach(({ average }, i) => stack.set(average, i * box * box));
  const dimensions = [box, box, averages.length] as const;
  const labels = ["Class averages"];
  await writeFile(
    join(out, "averages.mrcs"),
    writeMrc(stack, { dimensions, pixelSize, stack: true, labels }),
  );
  const table = averages.map(({ members }, i) => [
    imageName(i, "averages.mrcs"),
    members.length / particles.count,
    members.filter(({ kept }) => kept).length,
  ]);
  const columns = ["rlnReferenceImage", "rlnClassDistribution", "rlnNrOfSignificantSamples"];
  await writeFile(
    join(out, "averages.star"),
    `# version 30001\n\n${starTable("model_classes", columns, table)}`,
  );
  await writeFile(join(out, "aligned.star"), alignedStar(options, particles, averages));
  await writeFile(join(out, "averages.png"), drawAverages(particles, averages));
}

function alignedStar(options: Options, particles: ImageSet, averages: readonly ClassAverage[]): string {
  const aligned = averages
    .flatMap(({ members }, i) => members.map((member) => ({ ...member, class: i + 1 })))
    .sort((a, b) => a.particle - b.particle);
  return resultStar(
    particles,
    {
      poses: aligned.map(({ psi, originX, originY }) => ({ rot: 0, tilt: 0, psi, originX, originY })),
      subsets: aligned.map(({ particle }) => particles.rows[particle]!.subset ?? (particle % 2) + 1),
      columns: {
        rlnClassNumber: aligned.map((member) => member.class),
        rlnIsFlip: aligned.map(({ mirror }) => (mirror ? 1 : 0)),
        rlnAutopickFigureOfMerit: aligned.map(({ score }) => score),
        rlnSelected: aligned.map(({ kept }) => (kept ? 1 : 0)),
      },
    },
    options,
  );
}

/** Draws each of the largest classes: its average, and its best particles aligned. */
function drawAverages({ images, box }: ImageSet, averages: readonly ClassAverage[]): Uint8Array {
  const area = box * box;
  const largest = averages
    .map(({ average, members }, i) => ({ average, members, number: i + 1 }))
    .sort((a, b) => b.members.length - a.members.length || a.number - b.number)
    .slice(0, 8);
  const rows = largest.map(({ average, members, number }) => {
    const best = [...members].sort((a, b) => b.score - a.score).slice(0, 6);
    const aligned = best.map((member) => {
      const image = new Float32Array(area);
      addAligned(images.subarray(member.particle * area, (member.particle + 1) * area), box, member, image);
      return image;
    });
    return { label: `Class ${number}\n${members.length} images`, images: [average, ...aligned] };
  });
  return drawImageRows("Class averages", rows, { box, headings: ["Average", "Best particles, aligned"] });
}
