/**
 * 11. Two stages, the second of which takes the outputs of the first. They do not pass through this program: the server gives each
 * output to the second stage as it is accepted, also when this program has ended.
 *
 *     npx manyhands run examples/11-stages.ts
 * prints
 *     spots: 3 2 4
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

/** An image with `spots` bright pixels. */
const draw = (spots: number): Float32Array =>
  Float32Array.from({ length: 1000 }, (_, x) => (x % 100 === 7 && x < 100 * spots ? 1 : 0.2));
const count = (image: Float32Array): number => image.filter((pixel) => pixel > 0.5).length;

const images = hands.map(draw, [3, 2, 4]);
const counts = hands.map(count, images.outputs());
console.log(`spots: ${(await counts).join(" ")}`);
