import type { Value } from "../../shared/wire/codec.ts";
import { valueToJson } from "../../shared/wire/value-json.ts";
import type { Hands } from "../hands.ts";
import type { Reduction } from "../reduction.ts";
import { TaskFailedError } from "../task-error.ts";
import { leaveOnInterrupt } from "./follow.ts";
import { writeJson, writeLine } from "./output.ts";
import type { LineWriter } from "./result-writer.ts";

/** Prints the id of the job whose only output is the value, once the server has the job's kernel, tasks and data. */
export async function detach(reduction: Reduction<Value>, json: boolean): Promise<void> {
  await reduction.submitted;
  const id = await lastIdOf(reduction);
  await (json ? writeJson({ id }) : writeLine(id));
}

/**
 * Writes the value of a reduction as JSON.
 * @param options - `mayGoOn`: the command can be run again after Ctrl-C; `isKept`: other commands can still use the jobs
 * @throws as the reduction rejects
 */
export async function writeCombined(
  hands: Hands,
  reduction: Reduction<Value>,
  writer: LineWriter,
  options: { mayGoOn: boolean; quiet: boolean; isKept: boolean },
): Promise<void> {
  leaveOnInterrupt(
    {
      submitted: reduction.submitted,
      cancel: () => reduction.cancel(),
      get id() {
        return lastIdOf(reduction);
      },
    },
    options,
  );
  try {
    const value = await reduction;
    await writer.writeLine(JSON.stringify(valueToJson(value)));
  } catch (error) {
    if (error instanceof TaskFailedError && options.isKept && !options.quiet)
      await sayWhatToRequeue(hands, reduction);
    throw error;
  } finally {
    await writer.close();
  }
}

async function lastIdOf(reduction: Reduction<Value>): Promise<string> {
  return (await reduction.jobIds()).at(-1)!;
}

async function sayWhatToRequeue(hands: Hands, reduction: Reduction<Value>): Promise<void> {
  const ids = await reduction.jobIds();
  for (const id of ids) {
    const { state, counts } = await hands.job(id).status();
    if (state === "finished" && counts.failed > 0)
      await writeLine(
        `Try them again with \`manyhands requeue ${id}\`; the value is then that of \`manyhands results ${ids.at(-1)} --follow\`.`,
        process.stderr,
      );
  }
}
