import { Command, Option } from "commander";
import { runTopics, type BenchFlags } from "./harness/run-topics.ts";

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is no whole number above 0.`);
  return value;
}

const collect = (text: string, before: string[] = []): string[] => [...before, text];

await new Command("npm run bench --")
  .description("Measures Manyhands beside what one would use instead.")
  .argument("[topics...]", "which topics; all unless said")
  .option("--json", "one JSON object a line for every comparison", false)
  .addOption(new Option("--rounds <n>", "counted rounds (5; 1 with --quick)").argParser(positive))
  .option("--quick", "everything small, without warm-up: does it work?", false)
  .option("--case <text>", "only cases whose name has this in it; may be repeated", collect, [])
  .option("--peer <text>", "only peers whose name has this in it; may be repeated", collect)
  .option("--no-install", "take the peers' packages as they are")
  .option("--plot", "keep the results, and draw plots and tables of them into docs/", false)
  .option("--render", "draw plots and tables of the kept results, without measuring", false)
  .action(async (topics: string[], flags: BenchFlags) => {
    try {
      process.exitCode = await runTopics(topics, flags);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 2;
    }
  })
  .parseAsync();
