import { Command, Option } from "commander";
import { runPlatform, type PlatformFlags } from "./platform/main.ts";
import { runTrust, type TrustFlags } from "./trust/main.ts";

function natural(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`"${text}" is no whole number.`);
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no whole number above 0.`);
  return value;
}

const program = new Command("npm run simulate --").description("Runs parts of Manyhands on a virtual clock.");

const worlds = [
  ["platform", "Server, clients and customers in one process, with faults of every kind, drawn from a seed."],
  ["servers", "The same with several servers that share a database."],
] as const;
for (const [kind, description] of worlds)
  program
    .command(kind, { isDefault: kind === "platform" })
    .description(description)
    .addOption(new Option("--seeds <n>", "number of worlds").argParser(positive).default(100))
    .addOption(new Option("--seed <s>", "the first world's seed; 0 when absent").argParser(natural))
    .addOption(new Option("--threads <n>", "worlds at a time; one a core when absent").argParser(positive))
    .option("--bail", "begin no world after a broken rule", false)
    .option("--steps", "print every step of one world", false)
    .action((flags: PlatformFlags) => runPlatform(kind, flags));

program
  .command("trust")
  .description("Cheats, faults and honest volunteers under audits, and under the rules of other platforms.")
  .addOption(new Option("--seeds <n>", "runs of each scenario (20; 2 with --quick)").argParser(positive))
  .option("--quick", "a tenth of the tasks, few seeds: does it work?", false)
  .option("--case <text>", "only scenarios whose name has this in it")
  .option("--rule <name>", "only this rule: manyhands, BOINC, 2 of 3, Sarmenta")
  .option("--json", "one JSON object a line for every scenario and rule", false)
  .option("--plot", "keep the results, and write tables and plot of docs/trust.md", false)
  .option("--render", "write them from the kept results, without running anything", false)
  .action((flags: TrustFlags) => runTrust(flags));

await program.parseAsync();
