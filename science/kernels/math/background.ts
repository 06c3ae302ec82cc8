import { length } from "./trigonometry.ts";

/** The background of images of one size: pixels farther than `radius` from the middle, or all pixels when there are none. */
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
    // Differences from one of the pixels are averaged, so that equal pixels have exactly their value as mean, and a large
    // offset costs no digits.
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
