import { forward3, halfLength3, inverse3 } from "./kernels/math/fft-real.ts";
import type { Volume } from "./volume.ts";

/** Calls `visit` for every complex number of a half transform, with its index and its frequency in cycles per box. */
export function forEachFrequency(
  size: number,
  visit: (index: number, radius: number, kx: number) => void,
): void {
  let index = 0;
  for (let z = 0; z < size; z++) {
    const kz = z < size / 2 ? z : z - size;
    for (let y = 0; y < size; y++) {
      const ky = y < size / 2 ? y : y - size;
      for (let kx = 0; kx <= size / 2; kx++, index++)
        visit(index, Math.sqrt(kx * kx + ky * ky + kz * kz), kx);
    }
  }
}

/**
 * Multiplies a volume's transform by a function of frequency.
 * @param gain - the factor at a frequency in 1/Å
 */
export function filterVolume(volume: Volume, gain: (frequency: number) => number): Volume {
  const { size, pixelSize } = volume;
  const half = new Float32Array(halfLength3(size));
  forward3(volume.data, size, half);
  forEachFrequency(size, (index, radius) => {
    const factor = gain(radius / (size * pixelSize));
    half[2 * index]! *= factor;
    half[2 * index + 1]! *= factor;
  });
  const data = new Float32Array(size ** 3);
  inverse3(half, size, data);
  return { ...volume, data };
}

/** A low-pass filter that falls with half a cosine from 1 at 1.1 × `resolution` to 0 at `resolution` ÷ 1.1 (Å). */
export function lowPass(resolution: number): (frequency: number) => number {
  const start = 1 / (1.1 * resolution);
  const end = 1.1 / resolution;
  return (frequency) => {
    const position = Math.min(1, Math.max(0, (frequency - start) / (end - start)));
    return 0.5 + 0.5 * Math.cos(Math.PI * position);
  };
}

/**
 * Resamples a volume to fewer voxels over the same length by cutting its transform (or to more, by padding it).
 * @param size - voxels a side of the result, even
 */
export function fourierCrop(volume: Volume, size: number): Volume {
  const from = volume.size;
  const input = new Float32Array(halfLength3(from));
  const output = new Float32Array(halfLength3(size));
  forward3(volume.data, from, input);
  const limit = Math.min(from, size) / 2;
  const scale = (size / from) ** 3;
  for (let kz = 1 - limit; kz < limit; kz++) {
    for (let ky = 1 - limit; ky < limit; ky++) {
      const a = (((kz + from) % from) * from + ((ky + from) % from)) * (from + 2);
      const b = (((kz + size) % size) * size + ((ky + size) % size)) * (size + 2);
      for (let i = 0; i < 2 * limit; i++) output[b + i] = scale * input[a + i]!;
    }
  }
  const data = new Float32Array(size ** 3);
  inverse3(output, size, data);
  return { size, pixelSize: (volume.pixelSize * from) / size, data };
}
