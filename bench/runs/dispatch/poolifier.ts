/** poolifier: a fixed pool of two threads of this process. */
import { join } from "node:path";
import { FixedThreadPool } from "poolifier";
import { measureDispatch } from "./measure.ts";

const pool = new FixedThreadPool<string, string>(2, join(import.meta.dirname, "kernels", "poolifier.mjs"));
await measureDispatch((inputs) => Promise.all(inputs.map((input) => pool.execute(input))));
