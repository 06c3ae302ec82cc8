/**
 * 12. One value of many: outputs are combined on the clients, so that neither the server nor this program handles each of them. A sum, a
 * histogram and the best of n are one line each; the order of the inputs says what is combined with what, so every run has the same bits.
 *
 *     npx manyhands run examples/12-reduce.ts
 * prints
 *     mean spots: 2.5
 *     spots: 0 │ 0
 *     spots: 1 │██████ 100
 *     …
 *     brightest: image 54, 3.990
 */
import { connect, type KernelContext } from "../parallel/index.ts";

await using hands = await connect();

const images = Array.from({ length: 400 }, (_, image) => image);
const countSpots = (image: number): number => 1 + (image % 4);
const bins = (image: number): Uint32Array =>
  Uint32Array.from({ length: 5 }, (_, spots) => +(1 + (image % 4) === spots));
const brightness = (image: number, ctx: KernelContext) => ({ image, peak: 3 + ctx.random() });

const sum = await hands.reduce(countSpots, images, { combine: (a, b) => a + b });
const histogram = await hands.reduce(bins, images, { combine: (a, b) => a.map((count, i) => count + b[i]!) });
const best = await hands.reduce(brightness, images, {
  combine: (a, b) => (b.peak > a.peak ? b : a),
  seed: "sky",
});

console.log(`mean spots: ${sum / images.length}`);
for (const [spots, count] of histogram.entries())
  console.log(`spots: ${spots} │${"█".repeat(count / 16)} ${count}`);
console.log(`brightest: image ${best.image}, ${best.peak.toFixed(3)}`);
