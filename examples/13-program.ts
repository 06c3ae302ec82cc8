/**
 * 13. A program that was compiled to WebAssembly is a kernel as it is: C, C++, Rust, … with arguments, standard input and output, and files in
 * memory. This one is programs/collatz.c, which says how it is compiled; docs/programs.md has a larger one.
 *
 *     npx manyhands run examples/13-program.ts
 * prints
 *     871 takes 178 steps
 *     6171 takes 261 steps
 */
import { connect, program } from "../parallel/index.ts";

await using hands = await connect();

const collatz = program(new URL("programs/collatz.wasm", import.meta.url), { args: ["{from}", "{to}"] });

const ranges = [
  { from: 1, to: 1_000 },
  { from: 1_000, to: 10_000 },
];
for (const line of await hands.map(collatz, ranges)) process.stdout.write(line);
