import { parseArgs } from "node:util";
import { report } from "../support/report.ts";

const bytes = 100;
const { values } = parseArgs({
  options: {
    tasks: { type: "string", default: "20000" },
    warm: { type: "string", default: "20000" },
    warmRounds: { type: "string", default: "1" },
  },
  strict: false,
});

/** Submits the inputs and resolves with the outputs of all, in any order. The task is the identity. */
type Dispatch = (inputs: string[]) => Promise<string[]>;

/**
 * Tasks a second from the first submit to the last output in the customer. Before that the same is done with as many other
 * tasks, once or several times: connections are open, kernels loaded, and what is on the path was compiled by the JIT, also in servers of peers.
 */
export async function measureDispatch(dispatch: Dispatch): Promise<never> {
  for (let round = 0; round < Number(values.warmRounds); round++) {
    const warm = makeInputs(Number(values.warm), `w${round} `);
    check(warm, await dispatch(warm));
  }
  const inputs = makeInputs(Number(values.tasks), "t");
  const start = performance.now();
  const outputs = await dispatch(inputs);
  const seconds = (performance.now() - start) / 1000;
  check(inputs, outputs);
  return report(inputs.length / seconds);
}

function makeInputs(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i} `.padEnd(bytes, "."));
}

function check(inputs: readonly string[], outputs: readonly string[]): void {
  const missing = new Set(inputs).difference(new Set(outputs));
  if (outputs.length !== inputs.length || missing.size > 0)
    throw new Error(
      `${inputs.length} inputs gave ${outputs.length} outputs, ${missing.size} of them missing`,
    );
}
