// A customer under MPI that submits a job and waits; the test kills it.
import { connectMpi } from "../../parallel/mpi/connect-mpi.ts";

const [scratch = ""] = process.argv.slice(2);
const hands = await connectMpi({ type: "mpi", ranks: 2, scratch, options: {} }, {});
const squared = async ({ x, ms }: { x: number; ms: number }): Promise<number> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return x * x;
};
const inputs = Array.from({ length: 40 }, (_, x) => ({ x, ms: 100 }));
const job = hands.map(squared, inputs, {
  key: "squares",
  onProgress: ({ done }) => process.stdout.write(`done ${done}\n`),
});
const outputs = await job;
process.stdout.write(`outputs ${JSON.stringify(outputs)}\njob ${await job.id}\n`);
await hands.close();
