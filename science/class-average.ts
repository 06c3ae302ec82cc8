import { alignmentLength, finerAngles } from "./kernels/average.ts";
import { checkSearch } from "./kernels/math/checks.ts";
import type { Match } from "./kernels/math/rotational-search.ts";
import type { Compute } from "./compute.ts";
import { searchMemoryMb } from "./memory.ts";
import type { ComparisonSettings } from "./simmx.ts";
import { bytesOf, putStack } from "./stacks.ts";
import type { StageOptions } from "./stages.ts";

/** The particles of one average. */
export interface ParticleClass {
  /** Indices of the particles' images. */
  readonly members: readonly number[];
  /** Reference of the first round, `box`² pixels; without one the class is averaged from its own images. */
  readonly reference?: Float32Array;
}

/** The part of a particle in an average. */
interface ClassMember extends Match {
  readonly particle: number;
  /** Whether the particle is among the best, of which the average was made. */
  readonly kept: boolean;
}

export interface ClassAverage {
  readonly average: Float32Array;
  readonly members: readonly ClassMember[];
}

/** Settings of class averages; lengths in pixels, rings in cycles per box. */
interface AveragingSettings extends ComparisonSettings {
  readonly iterations: number;
  /** The part of each class that is averaged: its best-matching particles. */
  readonly keep: number;
}

/** Aligns and averages classes, one a task. An empty class gets an empty average without a task. */
export async function classAverages(
  compute: Compute,
  images: Float32Array,
  box: number,
  classes: readonly ParticleClass[],
  options: StageOptions & AveragingSettings,
): Promise<ClassAverage[]> {
  const { name, onProgress, ...settings } = options;
  checkSearch({ ...settings, box });
  const largest = Math.max(...classes.map(({ members }) => members.length));
  const memoryMb = searchMemoryMb({ ...settings, box }, largest, 1, finerAngles);
  const area = box * box;
  const busy = classes.map((_, i) => i).filter((i) => classes[i]!.members.length > 0);
  // A class has blobs for itself: its members are scattered over the stack, and the number of references in a task is limited.
  const inputs = await Promise.all(
    busy.map(async (i) => {
      const { members, reference } = classes[i]!;
      return {
        ...settings,
        particles: (await putStack(compute, images, box, { members })).blobs,
        reference: reference ? await compute.put(bytesOf(reference)) : null,
        box,
      };
    }),
  );
  const averages = classes.map((): ClassAverage => ({ average: new Float32Array(area), members: [] }));
  for await (const { index, output } of compute.map("average", inputs, {
    name,
    memoryMb,
    ...(onProgress && { onProgress }),
  })) {
    const which = busy[index]!;
    averages[which] = {
      average: output.average,
      members: classes[which]!.members.map((particle, at) => memberAt(output.alignments, at, particle)),
    };
  }
  return averages;
}

function memberAt(packed: Float64Array, at: number, particle: number): ClassMember {
  const [score, originX, originY, psi, mirror, kept] = packed.subarray(
    at * alignmentLength,
    (at + 1) * alignmentLength,
  );
  return {
    particle,
    score: score!,
    originX: originX!,
    originY: originY!,
    psi: psi!,
    mirror: mirror === 1,
    kept: kept === 1,
  };
}
