/**
 * `node start-manyhands.ts [--from connect]`: ms from the start of this process, or from connect(), to the first result of
 * `thread:2`. The first run of an installation bundles the engine; in the benchmark that is the warm-up.
 */
import { connect } from "../../../parallel/index.ts";
import { report } from "../support/report.ts";

const connecting = performance.now();
const hands = await connect("thread:2");
const connected = performance.now();
const outputs = await hands.map((x: number) => x + 1, [1]);
const end = performance.now();
if (outputs[0] !== 2) throw new Error(`1 + 1 gave ${outputs[0]}`);
const value = process.argv.includes("connect") ? end - connecting : end;
const parts = { importedMs: connecting, connectMs: connected - connecting, firstMapMs: end - connected };
await hands[Symbol.asyncDispose]();
report(value, parts);
