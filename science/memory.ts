import { paddedSize } from "./kernels/math/fourier-volume.ts";
import { polarGrid } from "./kernels/math/polar.ts";
import { shiftGrid } from "./kernels/math/rotational-search.ts";
import type { SearchParameters } from "./kernels/math/checks.ts";

const mebibyte = 2 ** 20;
/** The 32-bit address space without tables and plans. */
const wasmBytes = 4096 * mebibyte - 16 * mebibyte;
/** Memory of a busy sandbox beside the counted memory: code, and garbage of JavaScript. */
const restBytes = 96 * mebibyte;

/** Memory that a task needs, for its job's `memoryMb`; in bytes. */
interface Needs {
  readonly what: string;
  /** Memory of WebAssembly. */
  readonly wasm: number;
  /** Inputs, outputs and their copies. */
  readonly beside: number;
}

/**
 * MiB of a task, computed before any job is submitted.
 * @throws RangeError when the task exceeds the 4 GiB of WebAssembly
 */
function memoryMb({ what, wasm, beside }: Needs): number {
  if (wasm > wasmBytes)
    throw new RangeError(
      `${what} takes ${(wasm / 1024 / mebibyte).toFixed(1)} GiB of WebAssembly memory, which has 4; smaller boxes, or fewer shifts, were expected`,
    );
  return Math.ceil((wasm + beside + restBytes) / mebibyte);
}

/**
 * MiB for inserting images into a Fourier volume: 16 bytes a sample of the padded half cube, and four copies of the packed
 * sphere. Combining two spheres takes less.
 */
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

/** MiB for slices of a map: projections, or refinement of poses. */
export function sliceMemoryMb(box: number, images: number): number {
  const padded = paddedSize(box);
  const what = `taking slices of a map of ${box} voxels`;
  return memoryMb({
    what,
    wasm: 4 * (padded + 2) * padded ** 2,
    beside: 8 * box ** 3 + 16 * images * box ** 2,
  });
}

/** MiB for comparing images over rotations and shifts. */
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
  // Phases of eight spectra, the spectra, and the spectra of the references (rotational-search.ts).
  const wasm =
    spectra * (64 * samples + 32 * grid.spectrumLength) +
    4 * references * grid.spectrumLength +
    4 * (paddedSize(box) + 2) * paddedSize(box) +
    64 * finer * grid.angles;
  const what = `comparing images of ${box} pixels over ${shiftGrid(shiftRadius, shiftStep).length} shifts`;
  return memoryMb({ what, wasm, beside: 16 * (particles + references) * box ** 2 });
}

/** Bytes of a program that makes the maps of two halves: the sums of the halves and of the whole, a padded cube, its transform. */
export function reconstructionBytes(box: number): number {
  const padded = paddedSize(box);
  return (3 * 6 + 2 * 4) * (padded + 2) * padded ** 2;
}
