import { Command, Option } from "commander";
import { runTrust, type TrustFlags } from "./trust/main.ts";

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no whole number above 0.`);
  return value;
}

const program = new Command("npm run simulate --").description("Runs the scheduler on a virtual clock.");

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
