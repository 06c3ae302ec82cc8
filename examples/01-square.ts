/**
 * 1. The whole program: connect, map a function over inputs, await the outputs in order.
 *
 * Start a server (`npm start`), open its volunteer URL in a browser (or run `manyhands client`), then
 *     npx manyhands run examples/01-square.ts
 * prints
 *     [ 1, 4, 9, 16, 25 ]
 */
import { connect } from "../parallel/index.ts";

await using hands = await connect(); // the server of MANYHANDS_SERVER, else http://localhost:9990

const squares = await hands.map((x) => x * x, [1, 2, 3, 4, 5]);
console.log(squares);
