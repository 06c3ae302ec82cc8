import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { computeHere } from "../compute-here.ts";
import { drawContactSheet } from "../draw/contact-sheet.ts";
import { drawFscPlot } from "../draw/fsc-plot.ts";
import { writeMrc } from "../mrc.ts";
import { projectStage } from "../stages.ts";
import { particleStar } from "../particle-star-write.ts";
import { betaGal } from "./betagal.ts";
import type { Experiment } from "./experiment.ts";
import { makeDirectory } from "../../system/make-directory.ts";

/** Images shown of each kind. */
const shown = 8;

/** Writes maps, particles, curves and pictures. @returns the file names, the most interesting first */
export async function writeResults(
  directory: string,
  experiment: Experiment,
  title: string,
): Promise<string[]> {
  makeDirectory(directory);
  const { truth, recovered, images } = experiment;
  const { size, pixelSize } = truth;
  const map = { dimensions: [size, size, size], pixelSize, labels: ["Manyhands demo"] } as const;
  const stack = { dimensions: [size, size, images.length / size ** 2], pixelSize, stack: true } as const;
  const files: Record<string, Uint8Array | string> = {
    "contact-sheet.png": await contactSheet(experiment, title),
    "fsc.png": drawFscPlot(title, [
      {
        curve: experiment.truthFsc,
        label: "Recovered map against the true one",
        colour: [214, 116, 28],
        threshold: 0.5,
      },
      { curve: experiment.halfFsc, label: "Half maps", colour: [46, 110, 180], threshold: 0.143 },
    ]),
    "map.mrc": writeMrc(recovered.data, map),
    "true-map.mrc": writeMrc(truth.data, map),
    "particles.mrcs": writeMrc(images, stack),
    "particles.star": particleStar(experiment.poses, { images: "particles.mrcs", pixelSize, box: size }),
    "fsc.csv": fscCsv(experiment),
  };
  for (const [name, contents] of Object.entries(files)) await writeFile(join(directory, name), contents);
  return Object.keys(files);
}

function fscCsv({ truthFsc, halfFsc }: Experiment): string {
  const rows = truthFsc.values.map((value, shell) => {
    const frequency = shell / truthFsc.boxLength;
    const resolution = shell === 0 ? "" : (1 / frequency).toFixed(3);
    return [
      shell,
      frequency.toFixed(6),
      resolution,
      value.toFixed(6),
      (halfFsc.values[shell] ?? 0).toFixed(6),
    ].join(",");
  });
  return ["shell,frequency_per_angstrom,resolution_angstrom,fsc_true_map,fsc_half_maps", ...rows, ""].join(
    "\n",
  );
}

async function contactSheet(experiment: Experiment, title: string): Promise<Uint8Array> {
  const { truth, recovered, images, cleanImages, poses } = experiment;
  const pixels = truth.size ** 2;
  // The shown particles are spread over the stack, so that both halves are among them.
  const count = Math.min(shown, poses.length);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * poses.length) / count));
  const matched = await projectStage(
    computeHere(),
    recovered,
    chosen.map((index) => poses[index]!),
    { name: "matched", maxRadius: truth.size / 2, block: shown },
  );
  const pick = (stack: Float32Array): Float32Array[] =>
    chosen.map((index) => stack.subarray(index * pixels, (index + 1) * pixels));
  return drawContactSheet(
    title,
    [
      { heading: "Particles as the clients got them", images: pick(images) },
      {
        heading: "Projections of the recovered map in the pose found for each",
        images: chosen.map((_, i) => matched.subarray(i * pixels, (i + 1) * pixels)),
      },
      { heading: "The same particles without noise", images: pick(cleanImages) },
    ],
    { truth, recovered, molecule: betaGal.volume },
  );
}
