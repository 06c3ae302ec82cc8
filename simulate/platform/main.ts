import { availableParallelism } from "node:os";
import { runSeeds } from "./pool.ts";
import { runSeed, type SeedReport, type WorldKind, type WorldName } from "./run-seed.ts";
import { virtualiseThread } from "./virtual-globals.ts";

/** Flags of `npm run simulate -- platform` and `servers`. */
export interface PlatformFlags {
  readonly seeds: number;
  readonly seed?: number;
  readonly steps: boolean;
  readonly threads?: number;
  /** Begin no world after a broken rule. */
  readonly bail: boolean;
}

/** Runs worlds and prints their reports. Exits with 1 when a rule was broken. */
export async function runPlatform(kind: WorldKind, flags: PlatformFlags): Promise<void> {
  if (flags.steps) return showSteps({ kind, seed: flags.seed ?? 0 });
  const first = flags.seed ?? 0;
  const began = performance.now();
  const sum = new Sum();
  function* worlds(): Generator<WorldName> {
    for (let i = 0; i < flags.seeds && !(flags.bail && sum.failures > 0); i++)
      yield { kind, seed: first + i };
  }
  await runSeeds(worlds(), {
    threads: flags.threads ?? availableParallelism(),
    onReport: (report) => {
      sum.add(report);
      if (report.failure !== undefined) console.log(storyOf(report));
    },
  });
  console.log(sum.text((performance.now() - began) / 1000));
  if (sum.failures > 0) process.exitCode = 1;
}

/** Prints every step of one world. */
async function showSteps(world: WorldName): Promise<void> {
  virtualiseThread();
  const report = await runSeed(world, { print: (line) => console.log(line) });
  console.log(report.failure === undefined ? `seed ${world.seed}: ${report.hash}` : storyOf(report));
  if (report.failure !== undefined) process.exitCode = 1;
}

function storyOf({ kind, seed, hash, failure = "" }: SeedReport): string {
  return `seed ${seed} (${hash}) FAILED: ${failure}\n  npm run simulate -- ${kind} --seed ${seed} --steps\n`;
}

/** Sums over several worlds. */
class Sum {
  failures = 0;
  #seeds = 0;
  #steps = 0;
  #virtualMs = 0;
  readonly #faults = new Map<string, number>();

  add({ steps, faults, virtualMs, failure }: SeedReport): void {
    this.#seeds += 1;
    this.#steps += steps;
    this.#virtualMs += virtualMs;
    if (failure !== undefined) this.failures += 1;
    for (const [kind, count] of faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
  }

  text(seconds: number): string {
    const faults = [...this.#faults].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const hours = (this.#virtualMs / 3_600_000).toFixed(1);
    return [
      ...faults.map(([kind, count]) => `${String(count).padStart(9)}  ${kind}`),
      `${this.#seeds} seeds, ${this.#steps} steps, ${hours} simulated hours in ${seconds.toFixed(0)} s; ${this.failures} failed`,
    ].join("\n");
  }
}
