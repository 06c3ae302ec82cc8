/** Sums of squares of larger pixels, over a box, come near the largest 32-bit number. */
const largestPixel = 1e15;

/** The reason why an image is unusable. */
export type ImageFault = "notFinite" | "blank";

/**
 * Finds the fault of an image: a pixel that is no finite number would spread to each image it is compared or averaged with.
 * @returns undefined for a usable image
 */
export function faultOf(image: Float32Array): ImageFault | undefined {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < image.length; i++) {
    const value = image[i]!;
    if (!(value >= -largestPixel && value <= largestPixel)) return "notFinite";
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return least === most ? "blank" : undefined;
}

/** An unusable image and its place. */
export interface UnusableImage {
  readonly fault: ImageFault;
  /** Position in the stack, from 0. */
  readonly index: number;
  readonly stack: string;
}

const reasons: Record<ImageFault, string> = {
  notFinite: `a pixel that is NaN, infinite or beyond ±1e15`,
  blank: "equal pixels only (blank)",
};

/** Most images that one sentence names. */
const namedImages = 10;

/** A sentence for each stack and fault. Images are numbered from 1, as in STAR files. */
export function describeUnusable(images: readonly UnusableImage[]): string[] {
  const groups = Map.groupBy(images, ({ fault, stack }) => `${fault} ${stack}`);
  return [...groups.values()].map((group) => {
    const { fault, stack } = group[0]!;
    const numbers = group.slice(0, namedImages).map(({ index }) => index + 1);
    const more = group.length > namedImages ? ` and ${group.length - namedImages} more` : "";
    const have = group.length > 1 ? "images" : "image";
    return `${stack}: ${have} ${numbers.join(", ")}${more} ${group.length > 1 ? "have" : "has"} ${reasons[fault]}`;
  });
}
