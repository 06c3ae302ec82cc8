/** A cubic density map. Its origin, the centre of all rotations, is voxel size/2 of every axis. */
export interface Volume {
  /** Voxels a side, even. */
  readonly size: number;
  /** Å. */
  readonly pixelSize: number;
  /** size³ densities, x fastest, then y. */
  readonly data: Float32Array;
}

/**
 * Cuts a cube out of the middle, or surrounds it with zeros; the origin remains.
 * @param size - voxels a side of the result, even
 */
export function cropVolume(volume: Volume, size: number): Volume {
  if (size % 2 || size < 2) throw new RangeError(`a box of ${size} voxels; an even number was expected`);
  const data = new Float32Array(size ** 3);
  const shift = (volume.size - size) / 2;
  const first = Math.max(0, -shift);
  const last = Math.min(size, volume.size - shift);
  for (let z = first; z < last; z++) {
    for (let y = first; y < last; y++) {
      const from = ((z + shift) * volume.size + y + shift) * volume.size + shift;
      data.set(volume.data.subarray(from + first, from + last), (z * size + y) * size + first);
    }
  }
  return { ...volume, size, data };
}

/**
 * A sphere about the origin whose values fall from 1 to 0 with half a cosine.
 *
 * @param radius - voxels, where the fall begins
 * @param edge - voxels, width of the fall
 */
export function softSphere(size: number, radius: number, edge: number): Float32Array {
  const mask = new Float32Array(size ** 3);
  const half = size / 2;
  for (let z = 0, i = 0; z < size; z++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++, i++) {
        const outside = (Math.hypot(x - half, y - half, z - half) - radius) / edge;
        mask[i] = outside <= 0 ? 1 : outside >= 1 ? 0 : 0.5 + 0.5 * Math.cos(Math.PI * outside);
      }
  return mask;
}

/**
 * Subtracts a map's background, the mean density farther from the origin than half the box. Its edges would be in every
 * projection of the map.
 */
export function withoutBackground(volume: Volume): Volume {
  const { size, data } = volume;
  const half = size / 2;
  let [sum, count] = [0, 0];
  for (let z = 0, i = 0; z < size; z++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++, i++) {
        if ((x - half) ** 2 + (y - half) ** 2 + (z - half) ** 2 <= half * half) continue;
        sum += data[i]!;
        count++;
      }
  return { ...volume, data: data.map((value) => value - sum / count) };
}

/** Multiplies a volume by a mask of the same size. */
export function maskVolume(volume: Volume, mask: Float32Array): Volume {
  return { ...volume, data: volume.data.map((value, i) => value * (mask[i] ?? 0)) };
}

/** Distance from the origin, in voxels, that holds all but a hundredth of the map's power: the radius of the particle. */
export function particleRadius({ size, data }: Volume): number {
  const shells = new Float64Array(size);
  const half = size / 2;
  for (let z = 0, i = 0; z < size; z++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++, i++) {
        const shell = Math.ceil(Math.hypot(x - half, y - half, z - half));
        if (shell < size) shells[shell]! += data[i]! ** 2;
      }
  const total = shells.reduce((sum, power) => sum + power, 0);
  let inside = 0;
  for (let shell = 0; shell < size; shell++) {
    inside += shells[shell]!;
    if (inside >= 0.99 * total) return shell;
  }
  return half;
}
