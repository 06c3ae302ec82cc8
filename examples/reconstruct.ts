/**
 * A 3-D map from particles: each half of the particles is matched with projections of a reference, refined, and inserted into a
 * map, in several rounds. The halves are independent until their maps are compared (gold standard). With known poses the
 * program only inserts.
 *
 *     npx manyhands run examples/reconstruct.ts --sample 600 --sym D2               (makes its own data from data/betaGal.mrc)
 *     npx manyhands run examples/reconstruct.ts particles.star --map start.mrc --sym D2 --iterations 3
 *     npx manyhands run examples/reconstruct.ts particles.star --sym D2 --iterations 0      (as relion_reconstruct)
 */
import { writeFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { drawFscPlot } from "../science/draw/fsc-plot.ts";
import { drawMaps } from "../science/draw/image-sheet.ts";
import { resolutionAt } from "../science/fsc.ts";
import { halfSets, type HalfSet } from "../science/half-sets.ts";
import { faultOf } from "../science/image-quality.ts";
import { reconstructionBytes } from "../science/memory.ts";
import { named, readMrcFile } from "../science/mrc-file.ts";
import { placementOf, voxelSize, volumeOf, writeMrc, type Placement } from "../science/mrc.ts";
import {
  posesOf,
  presentable,
  reconstructHalves,
  refinementRound,
  type Reconstruction,
  type RefinementSettings,
} from "../science/refinement.ts";
import { starTable } from "../science/star.ts";
import type { Volume } from "../science/volume.ts";
import type { Pose } from "../science/kernels/math/euler.ts";
import { caveats, readImages, type ImageSet } from "./lib/images.ts";
import { pathsSummary, resultStar } from "./lib/particle-output.ts";
import {
  describeProgram,
  oneInput,
  positive,
  readOptions,
  whole,
  type ProgramOptions,
  type Workplace,
} from "./lib/program.ts";
import { writePoseSample } from "./lib/sample.ts";
import { makeDirectory } from "../system/make-directory.ts";

interface Options extends ProgramOptions {
  readonly map?: string;
  readonly sym: string;
  readonly iterations: number;
  readonly startResolution: number;
  readonly viewStep: number;
  readonly maxShift: number;
  readonly radius?: number;
  readonly mass?: number;
  readonly sample?: number;
  readonly box: number;
  readonly snr: number;
}

const program = describeProgram(
  "reconstruct",
  "Reconstruct a map from particles, gold standard.",
  "reconstruct",
);
await program.command
  .argument("[particles]", "RELION .star (rlnRandomSubset makes the halves), or with --map a .mrcs stack")
  .option(
    "--map <file.mrc>",
    "the first reference; without one the poses of the particles are taken as they are",
  )
  .option("--sym <group>", "C1, C2, … or D2, D3, …", "C1")
  .option("--iterations <n>", "rounds of refinement; 0 takes the poses as they are", whole(0), 2)
  .option("--start-resolution <Å>", "the first reference is seen no finer than this", positive, 30)
  .option("--view-step <degrees>", "between the directions that are searched at first", positive, 7.5)
  .option("--max-shift <Å>", "particles lie up to so far from the centre", positive, 14)
  .option("--radius <Å>", "radius of the particle (default: 0.42 of the box)", positive)
  .option("--mass <kDa>", "mass of the molecule, for the surface in the picture", positive)
  .option("--sample <n>", "make n images of β-galactosidase in random poses and use these", whole(16))
  .option("--box <n>", "pixels of the sample's images, even", whole(24), 64)
  .option("--snr <ratio>", "signal-to-noise ratio of the sample's images", positive, 0.2)
  .action((particles: string | undefined, options: Options) =>
    program.run((at) => reconstruct(at, particles, options)),
  )
  .parseAsync();

async function reconstruct(
  { compute, stage, warn }: Workplace,
  particleFile: string | undefined,
  options: Options,
): Promise<string> {
  checkOptions(options);
  const files = await inputFiles(particleFile, options);
  const particles = await readImages(files.particles, readOptions(options, warn));
  checkMemory(particles.box);
  const start = files.map === undefined ? undefined : await readMap(files.map, particles, options);
  const poses = start ? posesToFind(particles) : knownPoses(files.particles, particles);
  const settings = settingsOf(particles, options);
  const subsets = particles.rows.flatMap(({ subset }) => subset ?? []);
  let halves = halfSets(
    compute,
    particles.images,
    particles.box,
    poses,
    subsets.length === particles.count ? subsets : undefined,
  );
  let result: Reconstruction | undefined;
  const rounds = start ? options.iterations : 0;
  for (let round = 1; round <= rounds; round++) {
    const before = { start: start!.volume, round, ...(result && { before: result }) };
    const next = await refinementRound(compute, halves, before, settings, stage);
    ({ halves } = next);
    result = next.reconstruction;
    process.stderr.write(`  ${result.resolution.toFixed(1)} Å between the halves\n`);
  }
  result ??= await reconstructHalves(compute, halves, settings, stage);
  await writeResults(particles, halves, result, settings, { ...options, start });
  return [
    `${particles.count} particles, ${options.sym}: ${result.resolution.toFixed(1)} Å between the halves (FSC 0.143)`,
    ...caveats(particles),
    `${options.out}/: map.mrc, map-filtered.mrc, half1.mrc, half2.mrc, fsc.star, poses.star, map.png, fsc.png`,
    pathsSummary("poses.star", options),
  ].join("\n");
}

async function inputFiles(
  particles: string | undefined,
  { sample, box, snr, out, map, iterations }: Options,
): Promise<{ map?: string; particles: string }> {
  oneInput(sample, particles, map);
  if (sample !== undefined) {
    const made = await writePoseSample(join(out, "sample"), { particles: sample, box, snr });
    return { particles: made.particles, ...(iterations > 0 && { map: made.start }) };
  }
  if (particles !== undefined) return { particles, ...(map !== undefined && { map }) };
  throw new RangeError("particles were expected, or --sample; --help tells more");
}

/** @throws RangeError for options that would have no effect */
function checkOptions({ map, sample, iterations }: Options): void {
  if (map !== undefined && iterations === 0)
    throw new RangeError(
      "--map is what rounds of refinement begin with, and --iterations 0 takes the poses as they are; one of the two was expected",
    );
  const isGiven = program.command.getOptionValueSource("iterations") === "cli" && iterations > 0;
  if (isGiven && map === undefined && sample === undefined)
    throw new RangeError(`--iterations ${iterations} needs a reference to begin with; give it with --map`);
}

/** Placeholders of poses until the first round has searched all orientations. */
function posesToFind({ rows }: ImageSet): Pose[] {
  return rows.map(() => ({ rot: 0, tilt: 0, psi: 0, originX: 0, originY: 0 }));
}

/** @throws RangeError when a particle has no pose, or all particles have one viewing direction */
function knownPoses(path: string, { rows, posesLack }: ImageSet): Pose[] {
  const poses = rows.flatMap(({ pose }) => pose ?? []);
  const onwards = "give a reference to find poses with (--map)";
  if (poses.length < rows.length) throw new RangeError(`${path}: no poses: ${posesLack}; ${onwards}`);
  const [{ rot, tilt } = {}] = poses;
  if (poses.every((pose) => pose.rot === rot && pose.tilt === tilt))
    throw new RangeError(
      `${path}: no poses: all particles are seen from one direction (rot ${rot}, tilt ${tilt}), of which no map can be made; ${onwards}`,
    );
  return poses;
}

/** A starting map and its placement. */
interface Start {
  readonly volume: Volume;
  readonly placement: Placement;
}

async function readMap(path: string, { box, pixelSize }: ImageSet, { apix }: Options): Promise<Start> {
  const mrc = await readMrcFile(path);
  if (apix === undefined && voxelSize(mrc.header).every((side) => side === 0))
    throw new RangeError(`${path}: no voxel size in the header (CELLA, MX, MY, MZ); give it with --apix <Å>`);
  const volume = named(path, () => volumeOf(mrc, apix));
  if (faultOf(volume.data) === "blank")
    throw new RangeError(`${path}: equal densities only; a map was expected`);
  if (volume.size === box && Math.abs(volume.pixelSize - pixelSize) < 1e-3 * pixelSize)
    return { volume, placement: placementOf(mrc.header) };
  throw new RangeError(
    `${path}: ${volume.size} voxels of ${volume.pixelSize} Å; ${box} of ${pixelSize} Å were expected, as the particles have`,
  );
}

/** @throws RangeError when this machine lacks the memory for the maps, which are made here even when clients compute */
function checkMemory(box: number): void {
  const [needed, there] = [reconstructionBytes(box), totalmem()].map((bytes) => bytes / 2 ** 30) as [
    number,
    number,
  ];
  if (needed > there)
    throw new RangeError(
      `maps of ${box} voxels take ${needed.toFixed(1)} GiB here, and this machine has ${there.toFixed(1)}; a smaller box was expected`,
    );
}

function settingsOf({ box, pixelSize }: ImageSet, options: Options): RefinementSettings {
  return {
    symmetry: options.sym,
    pixelSize,
    maskRadius: options.radius ?? 0.42 * box * pixelSize,
    startResolution: options.startResolution,
    viewStep: options.viewStep,
    maxShift: options.maxShift,
  };
}

async function writeResults(
  particles: ImageSet,
  halves: readonly HalfSet[],
  result: Reconstruction,
  { maskRadius }: RefinementSettings,
  options: Options & { readonly start: Start | undefined },
): Promise<void> {
  const { out, start, mass } = options;
  makeDirectory(out);
  const { box, pixelSize } = particles;
  const seen = presentable(result, maskRadius);
  const dimensions = [box, box, box] as const;
  const maps = { map: result.whole, "map-filtered": seen, half1: result.halves[0], half2: result.halves[1] };
  const placement = start?.placement;
  for (const [name, { data }] of Object.entries(maps)) {
    const contents = { dimensions, pixelSize, labels: [name], ...(placement && { placement }) };
    await writeFile(join(out, `${name}.mrc`), writeMrc(data, contents));
  }
  await writeFile(join(out, "poses.star"), posesStar(particles, halves, options));
  const title = `${particles.count} particles: ${result.resolution.toFixed(1)} Å`;
  await writeFile(join(out, "fsc.star"), fscStar(result));
  const curve = { curve: result.fsc, label: "Half maps", colour: [46, 110, 180], threshold: 0.143 } as const;
  await writeFile(join(out, "fsc.png"), drawFscPlot(title, [curve]));
  // 1.21 Å³ a dalton; without a mass, a compact particle fills about a fifth of the mask.
  const enclosed = mass === undefined ? 0.2 * (4 / 3) * Math.PI * maskRadius ** 3 : mass * 1210;
  const shown = [
    ...(start
      ? [{ heading: "What it began with", volume: start.volume, colour: [158, 196, 232] as const }]
      : []),
    { heading: "The map", volume: seen, colour: [240, 190, 120] as const },
  ];
  await writeFile(join(out, "map.png"), drawMaps(title, shown, enclosed));
}

function posesStar(particles: ImageSet, halves: readonly HalfSet[], options: Options): string {
  const subsets: number[] = [];
  halves.forEach(({ members }, half) => members.forEach((member) => (subsets[member] = half + 1)));
  return resultStar(particles, { poses: posesOf(halves), subsets }, options);
}

/** The curve in the columns of relion_postprocess. */
function fscStar({ fsc }: Reconstruction): string {
  const rows = fsc.values.map((value, shell) => [
    shell,
    (shell / fsc.boxLength).toFixed(6),
    (shell === 0 ? 999 : fsc.boxLength / shell).toFixed(6),
    value.toFixed(6),
  ]);
  const columns = [
    "rlnSpectralIndex",
    "rlnResolution",
    "rlnAngstromResolution",
    "rlnFourierShellCorrelationMaskedMaps",
  ];
  return `# version 30001\n\n# FSC 0.143 at ${resolutionAt(fsc, 0.143).toFixed(2)} Å\n\n${starTable("fsc", columns, rows)}`;
}
