/** `node tasks-manyhands.ts [--ms 10] [--seconds 3]`: tasks of one length on `thread:2`. */
import { connect } from "../../../parallel/index.ts";
import { burn, measureTasks, threads } from "./measure-tasks.ts";

const hands = await connect(`thread:${threads}`);
await measureTasks((tasks) => hands.map(burn, tasks, { math: "native" }));
