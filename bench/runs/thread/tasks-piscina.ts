/** `node tasks-piscina.ts [--ms 10] [--seconds 3]`: tasks of one length on piscina. */
import { Piscina } from "piscina";
import { moduleOf } from "./kernel-file.ts";
import { burn, measureTasks, threads, type BurnTask } from "./measure-tasks.ts";

const filename = await moduleOf(burn);
const pool = new Piscina<BurnTask, number>({ filename, minThreads: threads, maxThreads: threads });
await measureTasks((tasks) => Promise.all(tasks.map((task) => pool.run(task))));
