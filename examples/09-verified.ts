/**
 * 9. Results of volunteers that are looked at one by one: factors are slow to find and fast to check, so the kernel's module
 * exports `check` as well, and a wrong result never gets through.
 *
 *     npx manyhands run examples/09-verified.ts
 * prints
 *     1000036000099 = 1000003 × 1000033
 *     502560280658509 = 15485863 × 32452843
 *     99999640000243 = 9999973 × 9999991
 *     and, when volunteers took part, how many of their results were audited and checked
 */
import { connect, kernelModule, statementText } from "../parallel/index.ts";
import type * as factors from "./kernels/factors.ts"; // for its types only

await using hands = await connect();

const products = [1_000_003 * 1_000_033, 15_485_863 * 32_452_843, 9_999_973 * 9_999_991];
const job = hands.map(
  kernelModule<typeof factors>(new URL("./kernels/factors.ts", import.meta.url)),
  products,
  { name: "factors", check: true },
);
for (const [index, [p, q]] of (await job).entries()) console.log(`${products[index]} = ${p} × ${q}`);

const verified = statementText(await job.status());
if (verified !== undefined) console.log(verified);
