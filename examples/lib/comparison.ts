import type { Command } from "commander";
import type { ComparisonSettings } from "../../science/simmx.ts";
import type { ImageSet } from "./images.ts";
import { positive, whole } from "./program.ts";

/** Options of programs that compare images; lengths in Å. */
export interface ComparisonOptions {
  readonly radius?: number;
  readonly resolution?: number;
  readonly maxShift: number;
  readonly shiftStep: number;
  readonly mirror: boolean;
  readonly sample?: number;
  readonly box: number;
  readonly snr: number;
}

export function addComparisonOptions(command: Command): Command {
  return command
    .option("--radius <Å>", "radius of the particle (default: 0.42 of the box)", positive)
    .option("--resolution <Å>", "compare no finer than this (default: 4 pixels)", positive)
    .option("--max-shift <Å>", "particles lie up to so far from the centre", positive, 15)
    .option("--shift-step <pixels>", "distance of the shifts that are tried", positive, 1)
    .option("--no-mirror", "do not try mirror images")
    .option("--sample <n>", "make n images of β-galactosidase in 8 directions and use these", whole(16))
    .option("--box <n>", "pixels of the sample's images, even", whole(24), 64)
    .option("--snr <ratio>", "signal-to-noise ratio of the sample's images", positive, 0.2);
}

/** The kernels' settings for images of this size. */
export function comparisonSettings(
  { box, pixelSize }: ImageSet,
  options: ComparisonOptions,
): ComparisonSettings {
  const resolution = options.resolution ?? 4 * pixelSize;
  return {
    minRing: 1,
    maxRing: Math.max(2, Math.min(box / 2 - 1, Math.ceil((box * pixelSize) / resolution))),
    particleRadius: options.radius === undefined ? 0.42 * box : options.radius / pixelSize,
    shiftRadius: options.maxShift / pixelSize,
    shiftStep: options.shiftStep,
    mirror: options.mirror,
  };
}
