/**
 * 4. Large data: put it once, pass references. Clients fetch the data of a task, verify it by its hash and keep it, so that a
 * table for all tasks travels once to each machine, and of a part only the part travels.
 *
 *     npx manyhands run examples/04-data-references.ts
 * prints
 *     4000000 bytes put as 9c6c…
 *     sums of the 4 quarters: …
 *     their total is …, as expected
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect();

const table = Float32Array.from({ length: 1_000_000 }, (_, index) => index % 1000);
const bytes = new Uint8Array(table.buffer);

// A path works too: hands.put("stack.mrcs") reads the file piece by piece. Known bytes are not sent again.
const reference = await hands.put(bytes);
console.log(`${reference.size} bytes put as ${reference.sha256.slice(0, 4)}…`);

const quarter = reference.size / 4;
const parts = [0, 1, 2, 3].map((index) => reference.slice(index * quarter, (index + 1) * quarter));

const sums = await hands.map(async (part, ctx) => {
  const { buffer, byteOffset, byteLength } = await ctx.data(part);
  // A Float32Array needs an aligned offset, and the buffer of a copy starts at 0.
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)).reduce(
    (sum, value) => sum + value,
    0,
  );
}, parts);
console.log(`sums of the 4 quarters: ${sums.join(" ")}`);

const total = sums.reduce((sum, value) => sum + value, 0);
const expected = table.reduce((sum, value) => sum + value, 0);
console.log(`their total is ${total}, ${total === expected ? "as expected" : `expected ${expected}`}`);
