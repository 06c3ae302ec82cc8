/**
 * The Manyhands SDK: map a function over inputs on every browser and machine that joined a server, on the cores of this
 * machine, or under MPI.
 *
 * @example
 * import { connect } from "manyhands";
 * await using hands = await connect("thread:auto");
 * console.log(await hands.map((x: number) => x * x, [1, 2, 3])); // [1, 4, 9]
 *
 * @packageDocumentation
 */
export * from "../customer/index.ts";
export { connect } from "./connect.ts";
export { parallelOption } from "./option.ts";
export { parallelGrammar, parseParallel, type ParallelSpec, type SharedOptions } from "./spec.ts";
