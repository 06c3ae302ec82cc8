import { PlatformError } from "../../shared/errors.ts";
import type { Why } from "../../shared/wire/why.ts";
import { serverCommand, withHands, type ServerFlags } from "./command.ts";
import { printableName, writeJson, writeLine } from "./output.ts";

interface WhyFlags extends ServerFlags {
  readonly client?: string;
}

/** `manyhands why`. */
export function whyCommand() {
  return serverCommand("why", "Say why nothing is computed: at the server, for a job, by a client")
    .argument("[job]", "the job's id")
    .option("--client <id>", "the client's id, as `manyhands clients` shows it")
    .action(async (job: string | undefined, flags: WhyFlags) => {
      const { client, json } = flags;
      if (job !== undefined && client !== undefined)
        throw new PlatformError("BAD_OPTION", "Give the id of a job, or --client <id>, and not both.");
      const of = job !== undefined ? { job } : client !== undefined ? { client } : undefined;
      const why = await withHands(flags, (hands) => hands.api.why(of));
      await (json ? writeJson(why) : writeLine(describeWhy(why)));
    });
}

/** Reasons as lines. */
export function describeWhy({ running, reasons }: Why): string {
  const tasks = `${running} task${running === 1 ? " is" : "s are"} being computed`;
  const lines = reasons.map(({ text }) => printableName(text));
  if (running > 0)
    return [lines.length > 0 ? `${tasks}.` : `${tasks}; nothing is in the way.`, ...lines].join("\n");
  return lines.length > 0 ? lines.join("\n") : "Nothing is in the way; tasks are about to be handed out.";
}
