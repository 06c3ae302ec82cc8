// AssemblyScript, compiled to WebAssembly by `npm run build:wasm`. TypeScript's tools do not read this folder.
//
// Memory belongs to the caller (../engine.ts): every function gets addresses, and no function here allocates. Only plain SIMD
// is used, because relaxed SIMD would give other bits on other machines.

/** First address of the caller's memory. */
export const heapBase: usize = __heap_base;

export { transform4 } from "./fft";
export { rowsForward, rowsInverse } from "./rows";
export { linesForward, linesInverse } from "./lines";
export { samplePolar, ringSpectra, takeReference, particlePower } from "./polar";
export { matchReferences } from "./search";
export { sliceBand } from "./slice";
export { multiplyBand, expandBand } from "./score";
export { gatherBand, shiftBand, insertSlice } from "./insert";
export { addAligned } from "./align-image";
export { sine, cosine, arcTangent } from "./trigonometry";
