/** Normally distributed numbers of mean 0 and variance 1 from uniform ones (Box & Muller, Ann. Math. Stat. 29 (1958) 610). */
export function gaussian(random: () => number): () => number {
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // 1 − random() is never 0, whose logarithm does not exist.
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/** Mean over images of the variance of an image's pixels. */
export function meanVariance(images: Float32Array, pixels: number): number {
  let total = 0;
  const count = images.length / pixels;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    let squares = 0;
    for (let at = i * pixels; at < (i + 1) * pixels; at++) {
      sum += images[at]!;
      squares += images[at]! ** 2;
    }
    total += squares / pixels - (sum / pixels) ** 2;
  }
  return total / count;
}

/**
 * Adds white Gaussian noise to noise-free images. The signal-to-noise ratio is the mean variance of the noise-free images over
 * the *whole* box ÷ the variance of the noise, so the same particle in a larger box needs a smaller ratio for the same noise a
 * pixel. The result is scaled to a noise of variance 1.
 *
 * @param pixels - of one image
 */
export function addNoise(
  images: Float32Array,
  pixels: number,
  snr: number,
  random: () => number,
): Float32Array {
  const sigma = Math.sqrt(meanVariance(images, pixels) / snr);
  const normal = gaussian(random);
  return images.map((value) => value / sigma + normal());
}
