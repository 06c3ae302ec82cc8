/** Squares of larger numbers, summed over a box, come near the end of 32-bit numbers. */
const largestPixel = 1e15;

/** Why an image cannot be used; undefined when it can. */
export type ImageFault = "notFinite" | "blank";

/** Looks at every pixel of an image: one that is no number would make a number of nothing it is compared or averaged with. */
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

/** An image that cannot be used, and where it stands. */
export interface UnusableImage {
  readonly fault: ImageFault;
  /** Position in its stack, from 0. */
  readonly index: number;
  readonly stack: string;
}

const reasons: Record<ImageFault, string> = {
  notFinite: `a pixel that is NaN, infinite or beyond ±1e15`,
  blank: "equal pixels only (blank)",
};

/** Images named in one sentence. */
const namedImages = 10;

/** One sentence for each stack and fault, naming the images as STAR files do, from 1. */
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
