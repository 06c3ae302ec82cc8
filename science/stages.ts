import { packedRadius } from "./kernels/insert.ts";
import {
  checkBox,
  checkClimb,
  checkMaxRadius,
  checkSearch,
  type SearchParameters,
} from "./kernels/math/checks.ts";
import { packCandidates, unpackCandidates, type Candidate } from "./kernels/math/candidates.ts";
import type { Matrix3, Pose } from "./kernels/math/euler.ts";
import { paddedSize } from "./kernels/math/fourier-volume.ts";
import { addPacked, emptyPartialVolume, type PartialVolume } from "./kernels/math/partial-volume.ts";
import { packPoses } from "./kernels/math/poses.ts";
import type { Compute } from "./compute.ts";
import { insertMemoryMb, searchMemoryMb, sliceMemoryMb } from "./memory.ts";
import type { View } from "./orientations.ts";
import { bytesOf, imagesOf, type ImageStack } from "./stacks.ts";
import { packOperators } from "./symmetry.ts";
import type { Volume } from "./volume.ts";

/** Options of every stage: the name of its job, and a listener for its progress (0 … 1). */
export interface StageOptions {
  readonly name: string;
  readonly onProgress?: (fraction: number) => void;
}

/** `count` items in blocks of at most `size`, as [start, end) pairs of nearly equal length. */
function blocksOf(count: number, size: number): [start: number, end: number][] {
  const blocks = Math.ceil(count / size);
  return Array.from({ length: blocks }, (_, i) => [
    Math.round((i * count) / blocks),
    Math.round(((i + 1) * count) / blocks),
  ]);
}

/** Projections of a map in many poses, in the order of the poses. */
export async function projectStage(
  compute: Compute,
  map: Volume,
  poses: readonly Pose[],
  options: StageOptions & { readonly maxRadius: number; readonly block: number },
): Promise<Float32Array> {
  checkBox(map.size);
  checkMaxRadius(options.maxRadius);
  const memoryMb = sliceMemoryMb(map.size, options.block);
  const ref = await compute.put(bytesOf(map.data));
  const blocks = blocksOf(poses.length, options.block);
  const inputs = blocks.map(([start, end]) => ({
    map: ref,
    box: map.size,
    poses: packPoses(poses.slice(start, end)),
    maxRadius: options.maxRadius,
  }));
  const images = new Float32Array(poses.length * map.size ** 2);
  for await (const { index, output } of compute.map("project", inputs, { ...options, memoryMb }))
    images.set(output, blocks[index]![0] * map.size ** 2);
  return images;
}

/** Size of a task that compares particles with references. */
export interface ComparisonBlock {
  readonly particleBlock: number;
  readonly referenceBlock: number;
}

/** The similarity matrix in blocks: particles [start, end) × references [first, last). */
export function comparisonBlocks(
  particles: ImageStack,
  references: ImageStack,
  { particleBlock, referenceBlock }: ComparisonBlock,
): { start: number; end: number; first: number; last: number }[] {
  return blocksOf(particles.count, particleBlock).flatMap(([start, end]) =>
    blocksOf(references.count, referenceBlock).map(([first, last]) => ({ start, end, first, last })),
  );
}

/** Settings of the search over all orientations; lengths in pixels, rings in cycles per box. */
interface SearchSettings extends ComparisonBlock, Omit<SearchParameters, "box"> {
  /** Candidates kept for each particle. */
  readonly keep: number;
}

/** The similarity matrix in blocks: each particle's best candidates among all references, best first. */
export async function searchStage(
  compute: Compute,
  particles: ImageStack,
  references: ImageStack,
  views: readonly View[],
  options: StageOptions & SearchSettings,
): Promise<Candidate[][]> {
  const { minRing, maxRing, particleRadius, shiftRadius, shiftStep, keep } = options;
  const search = { minRing, maxRing, particleRadius, shiftRadius, shiftStep, box: particles.box };
  checkSearch(search);
  const memoryMb = searchMemoryMb(search, options.particleBlock, options.referenceBlock);
  const blocks = comparisonBlocks(particles, references, options);
  const inputs = blocks.map(({ start, end, first, last }) => ({
    particles: imagesOf(particles, start, end),
    references: imagesOf(references, first, last),
    views: Float64Array.from(views.slice(first, last).flatMap(({ rot, tilt }) => [rot, tilt])),
    firstReference: first,
    ...search,
    keep,
  }));
  const found: Candidate[][] = Array.from({ length: particles.count }, () => []);
  for await (const { index, output } of compute.map("align", inputs, { ...options, memoryMb }))
    unpackCandidates(output, keep).forEach((candidates, i) =>
      found[blocks[index]!.start + i]!.push(...candidates),
    );
  // Ties are broken by the reference, so that the result does not depend on the order in which tasks finish.
  return found.map((candidates) =>
    candidates.sort((a, b) => b.score - a.score || a.reference - b.reference).slice(0, keep),
  );
}

/** Parameters of the refinement of poses; steps in degrees, rings in cycles per box. */
interface RefineSettings {
  readonly minRing: number;
  readonly maxRing: number;
  readonly step: number;
  readonly endStep: number;
  readonly block: number;
}

/** The pose of each particle, refined from its candidates; `maps` are the references of equal parts of the stack. */
export async function refineStage(
  compute: Compute,
  particles: ImageStack,
  maps: readonly Volume[],
  candidates: readonly (readonly Candidate[])[],
  options: StageOptions & RefineSettings,
): Promise<Candidate[]> {
  const { minRing, maxRing, step, endStep } = options;
  checkClimb({ ...options, box: particles.box });
  const memoryMb = sliceMemoryMb(particles.box, options.block);
  const keep = Math.max(...candidates.map((list) => list.length));
  const refs = await Promise.all(maps.map((map) => compute.put(bytesOf(map.data))));
  const blocks = partBlocks(particles.count, maps.length, options.block);
  const inputs = blocks.map(({ part, start, end }) => ({
    map: refs[part]!,
    particles: imagesOf(particles, start, end),
    box: particles.box,
    candidates: packCandidates(candidates.slice(start, end), keep),
    keep,
    minRing,
    maxRing,
    step,
    endStep,
  }));
  const refined: Candidate[] = Array.from({ length: particles.count });
  for await (const { index, output } of compute.map("refine", inputs, { ...options, memoryMb }))
    unpackCandidates(output, 1).forEach(([best], i) => (refined[blocks[index]!.start + i] = best!));
  return refined;
}

/** Blocks of a stack in equal parts, halves for gold-standard refinement; no block is of two parts. */
function partBlocks(
  count: number,
  parts: number,
  block: number,
): { part: number; start: number; end: number }[] {
  return blocksOf(count, Math.ceil(count / parts)).flatMap(([from, to], part) =>
    blocksOf(to - from, block).map(([start, end]) => ({ part, start: from + start, end: from + end })),
  );
}

/** Inserts particles into one Fourier volume for each of `parts` equal parts of the stack. */
export async function insertStage(
  compute: Compute,
  particles: ImageStack,
  poses: readonly Pose[],
  options: StageOptions & {
    readonly symmetry: readonly Matrix3[];
    readonly maxRadius: number;
    readonly parts: number;
    readonly block: number;
    /** Weight of each particle; 1 when absent. */
    readonly weights?: readonly number[];
  },
): Promise<PartialVolume[]> {
  const { box } = particles;
  checkBox(box);
  checkMaxRadius(options.maxRadius);
  const memoryMb = insertMemoryMb(box, options.block);
  const blocks = partBlocks(particles.count, options.parts, options.block);
  const radius = packedRadius(box, options.maxRadius);
  const fractions = Array.from({ length: options.parts }, () => 0);
  const partSum = async (part: number): Promise<PartialVolume> => {
    const inputs = blocks
      .filter((block) => block.part === part)
      .map(({ start, end }) => ({
        particles: imagesOf(particles, start, end),
        box,
        poses: packPoses(poses.slice(start, end)),
        weights: Float64Array.from({ length: end - start }, (_, i) => options.weights?.[start + i] ?? 1),
        symmetry: packOperators(options.symmetry),
        maxRadius: options.maxRadius,
      }));
    const onProgress = (fraction: number): void => {
      fractions[part] = fraction;
      options.onProgress?.(fractions.reduce((sum, each) => sum + each, 0) / options.parts);
    };
    const name = options.parts === 1 ? options.name : `${options.name}, part ${part + 1}`;
    const sum = emptyPartialVolume(paddedSize(box));
    if (inputs.length === 0) return sum;
    const { packed } = await compute.reduce("insert", inputs, { name, onProgress, memoryMb });
    addPacked(sum, packed, radius);
    return sum;
  };
  return Promise.all(fractions.map((_, part) => partSum(part)));
}
