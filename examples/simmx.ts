/**
 * The similarity matrix of particles and references: the agreement of each particle with each reference, and the best shift,
 * rotation and hand, as by EMAN2's e2simmx.py. A task compares a block of particles with a block of references.
 *
 *     npx manyhands run examples/simmx.ts --sample 400                       (makes its own data from data/betaGal.mrc)
 *     npx manyhands run examples/simmx.ts references.mrcs particles.star --out simmx
 *     npx manyhands run examples/simmx.ts --parallel dc:head:9990 references.mrcs particles.star
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { drawImageRows, drawMatrix } from "../science/draw/image-sheet.ts";
import { writeMrc } from "../science/mrc.ts";
import { bestMatches, similarityMatrix, type BestMatch, type SimilarityMatrix } from "../science/simmx.ts";
import { putStack } from "../science/stacks.ts";
import { addAligned } from "../science/kernels/math/transform-image.ts";
import { addComparisonOptions, comparisonSettings, type ComparisonOptions } from "./lib/comparison.ts";
import { caveats, readImages, type ImageSet } from "./lib/images.ts";
import { pathsSummary, resultStar } from "./lib/particle-output.ts";
import {
  describeProgram,
  oneInput,
  readOptions,
  whole,
  type ProgramOptions,
  type Workplace,
} from "./lib/program.ts";
import { writeClassSample } from "./lib/sample.ts";
import { makeDirectory } from "../system/make-directory.ts";

interface Options extends ProgramOptions, ComparisonOptions {
  readonly block: number;
}

const program = describeProgram(
  "simmx",
  "Score, shift, angle and mirror of every particle against every reference.",
  "simmx",
);
await addComparisonOptions(program.command)
  .argument("[references]", "stack of reference images: .mrcs, or a RELION .star")
  .argument("[particles]", "stack of particles: .mrcs or .star")
  .option(
    "--block <n>",
    "particles of a task; it compares them with up to 4 times as many references",
    whole(1),
    25,
  )
  .action((references: string | undefined, particles: string | undefined, options: Options) =>
    program.run((at) => simmx(at, references, particles, options)),
  )
  .parseAsync();

async function simmx(
  { compute, stage, warn }: Workplace,
  referenceFile: string | undefined,
  particleFile: string | undefined,
  options: Options,
): Promise<string> {
  const files = await inputFiles(referenceFile, particleFile, options);
  const how = readOptions(options, warn);
  const particles = await readImages(files.particles, how);
  const { pixelSize } = particles;
  const references = await readImages(files.references, { ...how, otherwise: pixelSize, counted: true });
  if (references.box !== particles.box)
    throw new RangeError(
      `references of ${references.box} pixels, particles of ${particles.box}: equal boxes were expected`,
    );
  if (Math.abs(references.pixelSize - pixelSize) > 1e-2 * pixelSize)
    warn(
      `references with pixels of ${references.pixelSize.toFixed(3)} Å, particles with ${pixelSize.toFixed(3)} Å: they are compared pixel by pixel`,
    );
  const put = ({ images, box }: ImageSet, task: number) => putStack(compute, images, box, { task });
  const stacks = await Promise.all([put(references, 4 * options.block), put(particles, options.block)]);
  const matrix = await stage("Compare", (onProgress) =>
    similarityMatrix(compute, ...stacks, {
      name: "Compare",
      onProgress,
      ...comparisonSettings(particles, options),
      particleBlock: options.block,
      referenceBlock: 4 * options.block,
    }),
  );
  const best = bestMatches(matrix);
  await writeResults(options, references, particles, matrix, best);
  const mirrored = best.filter(({ mirror }) => mirror).length;
  return [
    `${matrix.particles} particles × ${matrix.references} references; ${mirrored} match best as mirror images`,
    ...caveats(particles),
    `${options.out}/: simmx.mrcs (score, dx, dy, angle, mirror), classes.star, matches.png, scores.png`,
    pathsSummary("classes.star", options),
  ].join("\n");
}

async function inputFiles(
  references: string | undefined,
  particles: string | undefined,
  { sample, box, snr, out }: Options,
): Promise<{ references: string; particles: string }> {
  oneInput(sample, references, particles);
  if (sample !== undefined) return writeClassSample(join(out, "sample"), 8, { particles: sample, box, snr });
  if (references !== undefined && particles !== undefined) return { references, particles };
  throw new RangeError("references and particles were expected, or --sample; --help tells more");
}

async function writeResults(
  options: Options,
  references: ImageSet,
  particles: ImageSet,
  matrix: SimilarityMatrix,
  best: readonly BestMatch[],
): Promise<void> {
  const { out } = options;
  makeDirectory(out);
  const layers = [matrix.score, matrix.originX, matrix.originY, matrix.psi, matrix.mirror];
  const all = new Float32Array(layers.length * matrix.score.length);
  layers.forEach((layer, i) => all.set(layer, i * layer.length));
  const dimensions = [matrix.references, matrix.particles, layers.length] as const;
  const labels = ["Similarity: score, dx, dy (pixels), angle (degrees), mirror"];
  await writeFile(join(out, "simmx.mrcs"), writeMrc(all, { dimensions, pixelSize: 1, stack: true, labels }));
  const poses = best.map(({ psi, originX, originY }) => ({ rot: 0, tilt: 0, psi, originX, originY }));
  const star = resultStar(
    particles,
    {
      poses,
      subsets: particles.rows.map(({ subset }, i) => subset ?? (i % 2) + 1),
      columns: {
        rlnClassNumber: best.map(({ reference }) => reference + 1),
        rlnIsFlip: best.map(({ mirror }) => (mirror ? 1 : 0)),
        rlnAutopickFigureOfMerit: best.map(({ score }) => score),
      },
    },
    options,
  );
  await writeFile(join(out, "classes.star"), star);
  await writeFile(join(out, "matches.png"), drawMatches(references, particles, best));
  await writeFile(join(out, "scores.png"), drawScores(matrix, best));
}

/** Draws the scores, with particles in the order of their best references: a good matrix shows a staircase. */
function drawScores(
  { score, references, particles }: SimilarityMatrix,
  best: readonly BestMatch[],
): Uint8Array {
  const order = best.map((_, i) => i).sort((a, b) => best[a]!.reference - best[b]!.reference || a - b);
  const sorted = new Float32Array(score.length);
  order.forEach((particle, row) =>
    sorted.set(score.subarray(particle * references, (particle + 1) * references), row * references),
  );
  const title = `${particles} particles against ${references} references`;
  const axes = { columns: "References", rows: "Particles, by best reference", values: "Score" };
  return drawMatrix(title, sorted, { columns: references, rows: particles }, axes);
}

/** Draws references, each with some of its best-matching particles, unaligned and aligned. */
function drawMatches(references: ImageSet, particles: ImageSet, best: readonly BestMatch[]): Uint8Array {
  const { box } = particles;
  const area = box * box;
  const image = (set: ImageSet, i: number): Float32Array => set.images.subarray(i * area, (i + 1) * area);
  const order = best.map((_, i) => i).sort((a, b) => best[b]!.score - best[a]!.score);
  const rows = Array.from({ length: Math.min(8, references.count) }, (_, reference) => {
    const members = order.filter((i) => best[i]!.reference === reference);
    const shown = members.slice(0, 3).flatMap((i) => {
      const aligned = new Float32Array(area);
      addAligned(image(particles, i), box, best[i]!, aligned);
      return [image(particles, i), aligned];
    });
    return {
      label: `${reference + 1}\n${members.length} match`,
      images: [image(references, reference), ...shown],
    };
  });
  const headings = [
    "Reference",
    ...["Best particle", "Second", "Third"].flatMap((name) => [name, "aligned"]),
  ];
  return drawImageRows("Particles and the references they match best", rows, { box, headings });
}
