import { length } from "./trigonometry.ts";

/** How the grey values of an image lie: what makes results the same at any scale and offset of them. */
export interface Greys {
  /** Mean outside the particle. */
  readonly background: number;
  /** Root mean square, outside the particle and everywhere, of the difference from that mean; 0 where pixels are equal. */
  readonly backgroundDeviation: number;
  readonly deviation: number;
}

/**
 * Measures images of one size. Their background is what lies farther than `radius` pixels from the middle; where nothing
 * does, all of the image.
 */
export function greyMeter(box: number, radius: number): (image: Float32Array) => Greys {
  const everywhere = Uint32Array.from({ length: box * box }, (_, i) => i);
  const outside = everywhere.filter(
    (i) => length((i % box) - box / 2, Math.floor(i / box) - box / 2) > radius,
  );
  const background = outside.length > 0 ? outside : everywhere;
  return (image) => {
    const mean = meanAt(image, background);
    return {
      background: mean,
      backgroundDeviation: deviationAt(image, background, mean),
      deviation: deviationAt(image, everywhere, mean),
    };
  };
}

function meanAt(image: Float32Array, places: Uint32Array): number {
  // About one of the pixels, so that equal ones have exactly their value as mean, and a large offset costs no digits.
  const about = image[places[0]!]!;
  let sum = 0;
  for (const place of places) sum += image[place]! - about;
  return about + sum / places.length;
}

function deviationAt(image: Float32Array, places: Uint32Array, mean: number): number {
  let squares = 0;
  for (const place of places) squares += (image[place]! - mean) ** 2;
  return Math.sqrt(squares / places.length);
}
