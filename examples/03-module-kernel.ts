/**
 * 3. A kernel in a module of its own, with an npm package. Its types are checked: `powers` is Float32Array[], and inputs of
 * another type do not compile. Typed arrays arrive as typed arrays.
 *
 *     npx manyhands run examples/03-module-kernel.ts
 * prints
 *     signal 0: strongest at frequency 3
 *     signal 1: strongest at frequency 17
 *     signal 2: strongest at frequency 90
 */
import { connect, kernelModule } from "../parallel/index.ts";
import type powerSpectrumKernel from "./kernels/power-spectrum.ts"; // for its type only

await using hands = await connect();

const powerSpectrum = kernelModule<typeof powerSpectrumKernel>(
  new URL("./kernels/power-spectrum.ts", import.meta.url),
);

const signals = [3, 17, 90].map((frequency) =>
  Float32Array.from({ length: 256 }, (_, t) => Math.sin((2 * Math.PI * frequency * t) / 256)),
);

const powers = await hands.map(powerSpectrum, signals);
for (const [index, power] of powers.entries())
  console.log(`signal ${index}: strongest at frequency ${power.indexOf(Math.max(...power))}`);
