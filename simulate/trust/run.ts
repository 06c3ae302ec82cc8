import { measure, together, type Measures } from "./measures.ts";
import { boinc, sarmenta, twoOfThree } from "./other-rules.ts";
import { runOther } from "./other-world.ts";
import type { Scenario } from "./scenario.ts";
import { runManyhands } from "./world.ts";

/** A scenario under one rule, over all seeds. */
export interface Row extends Measures {
  readonly scenario: string;
  readonly rule: string;
}

const rules = [
  { name: "manyhands", run: runManyhands },
  ...[boinc, twoOfThree, sarmenta].map((rule) => ({
    name: rule.name,
    run: (scenario: Scenario, seed: string) => runOther(scenario, rule, seed),
  })),
];

/** Names of the rules, ours first. */
export const ruleNames: readonly string[] = rules.map(({ name }) => name);

/** Runs a scenario under every rule with each seed. */
export function runScenario(
  scenario: Scenario,
  { seeds, only }: { seeds: readonly string[]; only?: string | undefined },
): Row[] {
  return rules
    .filter(({ name }) => only === undefined || name === only)
    .map(({ name, run }) => {
      const counts = together(seeds.map((seed) => run(scenario, seed)));
      return { scenario: scenario.name, rule: name, ...measure(counts) };
    });
}
