/**
 * 3. A kernel in a module of its own, with a package it imports. Types flow from it: `powers` is Float32Array[], and inputs
 * that are no Float32Array do not compile. Typed arrays travel as they are.
 *
 *     npx manyhands run examples/03-module-kernel.ts
 * prints
 *     signal 0: strongest at frequency 3
 *     signal 1: strongest at frequency 17
 *     signal 2: strongest at frequency 90
 */
import { connect, kernelModule } from "../parallel/index.ts";
import type powerSpectrumKernel from "./kernels/power-spectrum.ts"; // the type alone

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
