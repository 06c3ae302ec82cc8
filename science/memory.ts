import { paddedSize } from "./kernels/math/fourier-volume.ts";
import { polarGrid } from "./kernels/math/polar.ts";
import { shiftGrid } from "./kernels/math/rotational-search.ts";
import type { SearchParameters } from "./kernels/math/checks.ts";

const mebibyte = 2 ** 20;
/** What 32-bit addresses reach, less what tables and plans take. */
const wasmBytes = 4096 * mebibyte - 16 * mebibyte;
/** Of a sandbox at work, beside what is counted here: code, garbage of JavaScript. */
const restBytes = 96 * mebibyte;

/** Memory that a task needs, for its job's `memoryMb`; in bytes. */
interface Needs {
  readonly what: string;
  /** In WebAssembly. */
  readonly wasm: number;
  /** Inputs, outputs and what they are copied into. */
  readonly beside: number;
}

/**
 * MiB of a task, computed before anything is submitted.
 * @throws RangeError when WebAssembly, which has 4 GiB, cannot hold it
 */
function memoryMb({ what, wasm, beside }: Needs): number {
  if (wasm > wasmBytes)
    throw new RangeError(
      `${what} takes ${(wasm / 1024 / mebibyte).toFixed(1)} GiB of WebAssembly memory, which has 4; smaller boxes, or fewer shifts, were expected`,
    );
  return Math.ceil((wasm + beside + restBytes) / mebibyte);
}

/** Of inserting images into a Fourier volume: 16 bytes a sample of the padded half cube, and what travels of it, four copies. */
export function insertMemoryMb(box: number, images: number): number {
  const padded = paddedSize(box);
  const packed = 12 * ((2 * Math.PI) / 3) * (padded / 2 + 2) ** 3;
  const what = `inserting images of ${box} pixels`;
  return memoryMb({
    what,
    wasm: 16 * (padded / 2 + 1) * padded ** 2,
    beside: 4 * packed + 8 * images * box ** 2,
  });
}

/** Of slices of a map: projections, and poses that are refined. */
export function sliceMemoryMb(box: number, images: number): number {
  const padded = paddedSize(box);
  const what = `taking slices of a map of ${box} voxels`;
  return memoryMb({
    what,
    wasm: 4 * (padded + 2) * padded ** 2,
    beside: 8 * box ** 3 + 16 * images * box ** 2,
  });
}

/** Of comparing images over rotations and shifts. */
export function searchMemoryMb(
  search: SearchParameters & { readonly mirror?: boolean },
  particles: number,
  references: number,
  finer = 1,
): number {
  const { box, minRing, maxRing, particleRadius, shiftRadius, shiftStep, mirror = false } = search;
  const grid = polarGrid(box, minRing, maxRing, particleRadius);
  const samples = (grid.rings * grid.angles) / 2;
  const spectra = Math.ceil((shiftGrid(shiftRadius, shiftStep).length * (mirror ? 2 : 1)) / 8);
  // Phases of eight spectra, the spectra, and those of the references (rotational-search.ts).
  const wasm =
    spectra * (64 * samples + 32 * grid.spectrumLength) +
    4 * references * grid.spectrumLength +
    4 * (paddedSize(box) + 2) * paddedSize(box) +
    64 * finer * grid.angles;
  const what = `comparing images of ${box} pixels over ${shiftGrid(shiftRadius, shiftStep).length} shifts`;
  return memoryMb({ what, wasm, beside: 16 * (particles + references) * box ** 2 });
}

/** Bytes of a program that makes the maps of two halves: their sums and that of both, a padded cube, its transform. */
export function reconstructionBytes(box: number): number {
  const padded = paddedSize(box);
  return (3 * 6 + 2 * 4) * (padded + 2) * padded ** 2;
}
