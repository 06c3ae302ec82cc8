import { length } from "./trigonometry.ts";

/**
 * What of images of one size lies farther than `radius` pixels from the middle: their background. Where nothing does, it is
 * all of the image.
 */
export class Background {
  readonly #places: Uint32Array;

  constructor(box: number, radius: number) {
    const places: number[] = [];
    for (let y = 0, at = 0; y < box; y++)
      for (let x = 0; x < box; x++, at++) if (length(x - box / 2, y - box / 2) > radius) places.push(at);
    this.#places = Uint32Array.from(
      places.length > 0 ? places : Array.from({ length: box * box }, (_, i) => i),
    );
  }

  /** Mean of the background of an image. */
  meanOf(image: Float32Array): number {
    const places = this.#places;
    // About one of the pixels, so that equal ones have exactly their value as mean, and a large offset costs no digits.
    const about = image[places[0]!]!;
    let sum = 0;
    for (let i = 0; i < places.length; i++) sum += image[places[i]!]! - about;
    return about + sum / places.length;
  }

  /** Root mean square of the difference of the background from its mean; 0 when it is flat. */
  deviationOf(image: Float32Array, mean: number): number {
    const places = this.#places;
    let squares = 0;
    for (let i = 0; i < places.length; i++) squares += (image[places[i]!]! - mean) ** 2;
    return Math.sqrt(squares / places.length);
  }
}
