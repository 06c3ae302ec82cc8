/**
 * 14. Clusters of stars that collapse, or do not: the forces of all pairs are computed on the graphics processors of pages with `--webgpu`, else in
 * JavaScript by whoever is there (docs/webgpu.md). The answer is checked: energy is conserved, and a cluster in balance keeps its size,
 * which theory gives as 0.77.
 *
 *     npx manyhands run examples/14-n-body.ts [--webgpu]
 * prints
 *     speed 1.0: half of the stars within 0.7… at the start, 0.7… at the end
 *     speed 0.5: half of the stars within 0.7… at the start, 0.4… at the end
 *     energy conserved within 0.1 %
 */
import { connect, kernelModule } from "../parallel/index.ts";
import type nBodyKernel from "./kernels/n-body.ts"; // for its type only

await using hands = await connect();

const nBody = kernelModule<typeof nBodyKernel>(new URL("./kernels/n-body.ts", import.meta.url));
const webgpu = process.argv.includes("--webgpu");
const clusters = [1, 0.5].map((speed) => ({ stars: 512, seed: 7, speed, steps: 128 }));

const evolved = await hands.map(nBody, clusters, { name: "star clusters", requires: { webgpu } });
for (const [index, { halfRadii }] of evolved.entries())
  console.log(
    `speed ${clusters[index]!.speed.toFixed(1)}: half of the stars within ${halfRadii[0]!.toFixed(2)} at the start, ${halfRadii.at(-1)!.toFixed(2)} at the end`,
  );
const errors = evolved.map(({ energyBefore, energyAfter }) => Math.abs(energyAfter / energyBefore - 1));
const worst = Math.max(...errors);
console.log(
  worst < 1e-3 ? "energy conserved within 0.1 %" : `energy changed by ${(100 * worst).toFixed(1)} %`,
);
