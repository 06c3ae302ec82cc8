import type { Volume } from "../volume.ts";

/** The grey range of an image: two and a half standard deviations below the mean to four above. Density is bright. */
export function spread(image: Float32Array): [number, number] {
  let sum = 0;
  let squares = 0;
  for (const value of image) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / image.length;
  const deviation = Math.sqrt(squares / image.length - mean * mean) || 1;
  return [mean - 2.5 * deviation, mean + 4 * deviation];
}

/** The planes through the middle of a map: across z, y and x. */
export function centralSlices({ size, data }: Volume): Float32Array[] {
  const middle = size / 2;
  const image = (at: (a: number, b: number) => number): Float32Array =>
    Float32Array.from({ length: size * size }, (_, i) => data[at(i % size, Math.floor(i / size))]!);
  return [
    image((x, y) => (middle * size + y) * size + x),
    image((x, z) => (z * size + middle) * size + x),
    image((y, z) => (z * size + y) * size + middle),
  ];
}
