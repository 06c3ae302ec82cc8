/**
 * 8. Data before tasks need it: while the first stage computes, clients fetch the data of the second stage in the background,
 * so that its tasks do not wait for data. A stack of images goes to every client, or only the part that tasks read.
 *
 *     npx manyhands run examples/08-precache.ts
 * prints
 *     2 of 2 clients have 3.0 MB precached
 *     mean of image 0: …
 *     brightest of 10 images: …
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

const [images, pixels] = [40, 256 * 256];
const stack = new Float32Array(images * pixels).map(
  (_, at) => Math.sin(at) + Math.floor(at / pixels) / images,
);
const reference = await hands.put(new Uint8Array(stack.buffer));
const imageAt = (index: number) => reference.slice(index * pixels * 4, (index + 1) * pixels * 4);

// The precache runs in the background; each client fetches the data of its tasks first, and reports a cache that is too small.
const precached = hands.precache(reference.slice(0, 10 * pixels * 4), {
  onProgress: ({ haveBytes, bytes, clients }) =>
    console.error(`${haveBytes} of ${bytes * clients} bytes are on ${clients} clients`),
});

const [mean] = await hands.map(
  async (image, ctx) => {
    // A Float32Array needs an aligned offset, and the buffer of a copy starts at 0.
    const { buffer } = (await ctx.data(image)).slice();
    return new Float32Array(buffer).reduce((sum, value) => sum + value, 0) / (image.length / 4);
  },
  [imageAt(0)],
  { name: "mean" },
);

const { have, clients, bytes } = await precached;
console.log(`${have} of ${clients} clients have ${(bytes / 1e6).toFixed(1)} MB precached`);
console.log(`mean of image 0: ${mean?.toFixed(3)}`);

const brightest = await hands.map(
  async (image, ctx) => new Float32Array((await ctx.data(image)).buffer).reduce((a, b) => Math.max(a, b)),
  Array.from({ length: 10 }, (_, index) => imageAt(index)),
  { name: "brightest" },
);
console.log(`brightest of 10 images: ${Math.max(...brightest).toFixed(3)}`);
