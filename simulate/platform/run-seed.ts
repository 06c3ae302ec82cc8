import { seededRandom } from "../../shared/random.ts";
import { Misfortunes } from "./misfortunes.ts";
import { drawPlan, drawSharedPlan } from "./plan.ts";
import { DatabaseStorage } from "./storage.ts";
import { Trace } from "./trace.ts";
import { enterWorld, realImmediate } from "./virtual-globals.ts";
import { VirtualTime } from "./virtual-time.ts";
import { World } from "./world.ts";

/** Worlds of one server on its disk, and of several that share a database. */
export type WorldKind = "platform" | "servers";

/** A world by its kind and seed. */
export interface WorldName {
  readonly kind: WorldKind;
  readonly seed: number;
}

/** The outcome of a seed. */
export interface SeedReport {
  readonly kind: WorldKind;
  readonly seed: number;
  /** The same for each run of the seed. */
  readonly hash: string;
  readonly steps: number;
  readonly faults: readonly (readonly [kind: string, count: number])[];
  readonly virtualMs: number;
  /** The story of a broken rule. */
  readonly failure: string | undefined;
}

/** Runs a world from its seed. The thread must be virtualised. */
export async function runSeed(
  { kind, seed }: WorldName,
  { print, stacks = 0 }: { print?: ((line: string) => void) | undefined; stacks?: number } = {},
): Promise<SeedReport> {
  // Stacks of kernels' errors travel to customers, and name the folder of this repository.
  Error.stackTraceLimit = stacks;
  const random = seededRandom(`${kind} ${seed}`);
  const trace = new Trace(print);
  const time = new VirtualTime(trace, realImmediate);
  enterWorld({ time, random });
  const plan = kind === "platform" ? drawPlan(random) : drawSharedPlan(random);
  print?.(JSON.stringify(plan, (_, value: unknown) => (value instanceof Set ? [...value] : value)));
  const world = new World({ plan, time, random, trace });
  enterWorld({ time, random, ...(world.storage instanceof DatabaseStorage && { database: world.storage }) });
  const onRejection = (error: unknown): void => world.thrown(error, time.current);
  process.on("unhandledRejection", onRejection);
  let failure: string | undefined;
  try {
    await world.run(new Misfortunes(world));
  } catch (error) {
    failure =
      error instanceof Error ? (error.name === "Violation" ? error.message : error.stack) : String(error);
  } finally {
    process.off("unhandledRejection", onRejection);
    enterWorld(undefined);
  }
  return {
    kind,
    seed,
    hash: trace.hash,
    steps: trace.steps,
    faults: [...trace.faults],
    virtualMs: time.now,
    failure,
  };
}
