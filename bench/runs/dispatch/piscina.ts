/** `node piscina.ts [--concurrent 1]`: piscina with two threads of this process and so many tasks at once in each. */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { Piscina } from "piscina";
import { measureDispatch } from "./measure.ts";

const { values } = parseArgs({ options: { concurrent: { type: "string", default: "1" } }, strict: false });
const pool = new Piscina<string, string>({
  filename: join(import.meta.dirname, "kernels", "echo.mjs"),
  minThreads: 2,
  maxThreads: 2,
  concurrentTasksPerWorker: Number(values.concurrent),
});
await measureDispatch((inputs) => Promise.all(inputs.map((input) => pool.run(input))));
