/** `node start-piscina.ts [--from connect]`: ms from the start of this process, or from making the pool, to its first result. */
import { Piscina } from "piscina";
import { report } from "../support/report.ts";
import { moduleOf } from "./kernel-file.ts";

const filename = await moduleOf((x: number) => x + 1);
const making = performance.now();
const pool = new Piscina<number, number>({ filename, minThreads: 2, maxThreads: 2 });
const output = await pool.run(1);
const end = performance.now();
if (output !== 2) throw new Error(`1 + 1 gave ${output}`);
const value = process.argv.includes("connect") ? end - making : end;
await pool.destroy();
report(value, { importedMs: making });
