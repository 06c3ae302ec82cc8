import type { Command } from "commander";
import { PlatformError } from "../../shared/errors.ts";
import type { OwnQuotas } from "../../shared/wire/rest/usage.ts";
import { serverCommand, wholeNumber, withHands, type ServerFlags } from "./command.ts";
import { usageTable } from "./data-commands.ts";
import { writeJson, writeLine } from "./output.ts";

interface QuotaFlags extends ServerFlags {
  readonly gb?: number;
  readonly jobs?: number;
  readonly kernels?: number;
  readonly openTasks?: number;
  readonly asEverybody?: boolean;
}

const mostGb = 8_000_000;

/** `manyhands quota`: bounds of one customer, in place of those that the server has for everybody. */
export function quotaCommand(): Command {
  return serverCommand("quota", "Show or change what one customer may keep")
    .argument("<customer>", "name of the customer's token")
    .option("--gb <n>", "what it may keep, in GiB; at 0 no task of it is handed out", wholeNumber(0, mostGb))
    .option("--jobs <n>", "jobs", wholeNumber(0, 10_000_000))
    .option("--kernels <n>", "kernels", wholeNumber(0, 10_000_000))
    .option("--open-tasks <n>", "tasks without an outcome", wholeNumber(0, 10_000_000_000))
    .option("--as-everybody", "take its own bounds back first")
    .addHelpText(
      "after",
      "\nBounds that are not given stay. They hold at once, at all servers; nothing that is kept is deleted.",
    )
    .action(async (customer: string, flags: QuotaFlags) => {
      const { gb, jobs, kernels, openTasks, asEverybody = false } = flags;
      const given: OwnQuotas = {
        ...(gb !== undefined && { bytes: gb * 1024 ** 3 }),
        ...(jobs !== undefined && { jobs }),
        ...(kernels !== undefined && { kernels }),
        ...(openTasks !== undefined && { openTasks }),
      };
      const usage = await withHands(flags, async ({ api }) => {
        const known = (await api.usage()).find((one) => one.customer === customer);
        if (asEverybody || Object.keys(given).length > 0)
          return api.setQuotas(customer, { ...(!asEverybody && known?.ownQuota), ...given });
        if (known) return known;
        throw new PlatformError(
          "NOT_FOUND",
          `Customer "${customer}" keeps nothing, and has no bounds of its own. Expected a name of \`manyhands usage\`, or bounds to set.`,
        );
      });
      await (flags.json ? writeJson(usage) : writeLine(usageTable([usage])));
    });
}
