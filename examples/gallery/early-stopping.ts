/**
 * A search for the settings of a neural network that stops the bad ones early (successive halving: Jamieson, Talwalkar 2016). The network
 * learns to tell a molecule's polar surface from the characters of its SMILES (data/NCI_5K_TPSA.csv).
 *
 *     npx manyhands run examples/gallery/early-stopping.ts      # --help tells more
 *
 * The training of each network is a chain of four jobs of 3, 6, 18 and 54 epochs; each takes the output of the one before, so all of them are
 * submitted at once. When all networks have had as many epochs, the chains of the worse two thirds are cancelled, whatever of them is running.
 * Then the same is done without stopping any: the network that was found has to be the best one, or as good within 5 %. The picture is
 * early-stopping.png, which is on the page of the job that trained the winner, too.
 */
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { kernelModule, parallelOption, type Job } from "../../parallel/index.ts";
import { Canvas } from "../../science/draw/canvas.ts";
import { Plot } from "../../science/draw/plot.ts";
import { seededRandom } from "../../shared/random.ts";
import type trainKernel from "../kernels/train.ts"; // for its type only
import type { Settings, Training } from "../kernels/train.ts";
import { whole } from "../lib/program.ts";
import { speedUp } from "../lib/speed-up.ts";

const command = new Command("early-stopping")
  .option("--networks <n>", "settings to try", whole(3), 81)
  .option("--rounds <n>", "jobs of a chain", whole(2), 4)
  .option("--out <file>", "the picture", "early-stopping.png");
const connect = parallelOption(command);
const { networks, rounds, out } = command.parse().opts<{ networks: number; rounds: number; out: string }>();

await using hands = await connect();
const train = kernelModule<typeof trainKernel>(new URL("../kernels/train.ts", import.meta.url));
const molecules = await hands.put(new URL("../../data/NCI_5K_TPSA.csv", import.meta.url));
const random = seededRandom("search");
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
const tried: Settings[] = Array.from({ length: networks }, () => ({
  rate: 10 ** (4 * random() - 4),
  momentum: pick([0, 0.5, 0.9]),
  batch: pick([1, 4, 16, 64]),
  hidden: pick([4, 8, 16, 32]),
}));

/** Jobs that train one network. */
type Chain = readonly Job<Training>[];

/** Submits all jobs. Earlier rounds go first: no network is far ahead of the others. */
function submit(group: string): Chain[] {
  return tried.map((settings, i) => {
    const options = (round: number) => ({
      name: `${group} ${i}, ${round}`,
      group,
      priority: -round,
      seed: `${i}`,
    });
    const untrained: Training = { settings, molecules, weights: new Float64Array(), errors: [] };
    const chain = [hands.map(train, [untrained], options(1))];
    for (let round = 2; round <= rounds; round++)
      chain.push(hands.map(train, chain.at(-1)!.outputs(), options(round)));
    return chain;
  });
}

const trainingOf = async (job: Job<Training>): Promise<Training> => (await job)[0]!;
const errorOf = ({ errors }: Training): number => errors.at(-1)!;

/** Networks as far as they were trained. Of those in each of the first `halvings` rounds the better third goes on. */
async function search(chains: readonly Chain[], halvings: number): Promise<Training[]> {
  const ended: Training[] = [];
  let going = [...chains];
  for (let round = 0; round < halvings; round++) {
    const reached = await Promise.all(
      going.map(async (chain) => ({ chain, now: await trainingOf(chain[round]!) })),
    );
    reached.sort((a, b) => errorOf(a.now) - errorOf(b.now));
    const bad = reached.splice(Math.ceil(reached.length / 3));
    await Promise.all(bad.flatMap(({ chain }) => chain.slice(round + 1).map((job) => job.cancel())));
    ended.push(...bad.map(({ now }) => now));
    going = reached.map(({ chain }) => chain);
  }
  const last = await Promise.all(going.map((chain) => trainingOf(chain.at(-1)!)));
  return [...last, ...ended].sort((a, b) => b.errors.length - a.errors.length || errorOf(a) - errorOf(b));
}

async function tell(how: string, trained: readonly Training[], jobs: readonly Chain[]): Promise<void> {
  const epochs = trained.reduce((sum, { errors }) => sum + errors.length, 0);
  console.log(
    `${how}: ${errorOf(trained[0]!).toFixed(2)} Å² after ${epochs} epochs; ${await speedUp(jobs.flat())}`,
  );
}

const chains = submit("Stopping");
const stopped = await search(chains, rounds - 1);
await tell("stopping early", stopped, chains);
const everyChain = submit("Exhaustive");
const all = await search(everyChain, 0);
await tell("all to the end", all, everyChain);
const [found, best] = [stopped[0]!, all[0]!];
const place = all.findIndex(({ errors }) => errorOf(found) === errors.at(-1)) + 1;
console.log(
  `found ${JSON.stringify(found.settings)}: number ${place} of ${networks}, the best within ${(100 * (errorOf(found) / errorOf(best) - 1)).toFixed(1)} %`,
);

const canvas = new Canvas(960, 620, [255, 255, 255]);
const axes = {
  x: { label: "Epochs", from: 0, to: rounds, step: 1, mark: (power: number) => String(3 ** power) },
  y: { label: "Error of molecules not trained with (Å²)", from: 0, to: 60, step: 10 },
};
const plot = new Plot(canvas, `${networks} networks`, { x: 0, y: 0, width: 960, height: 620 }, axes);
/** Draws the errors after one epoch and at the end of each round. */
function draw({ errors }: Training, colour: readonly [number, number, number], thickness: number): void {
  const powers = Array.from({ length: rounds + 1 }, (_, power) => power);
  const reached = powers.filter((power) => 3 ** power <= errors.length);
  const points = reached.map((power) => [power, Math.min(60, errors[3 ** power - 1]!)] as const);
  plot.line(points, colour, thickness);
}
for (const training of all) draw(training, [214, 218, 224], 1.5);
for (const training of stopped.slice(1)) draw(training, [47, 111, 176], 2);
draw(found, [179, 84, 30], 4);
plot.name("found", [179, 84, 30]);
plot.name("stopped early", [47, 111, 176]);
plot.name("what they would have become", [214, 218, 224]);
const picture = canvas.encode();
await writeFile(out, picture);
const winner = chains[tried.findIndex(({ rate }) => rate === found.settings.rate)]!.at(-1)!;
await winner.attach("early-stopping.png", picture);
if (errorOf(found) > 1.05 * errorOf(best)) process.exitCode = 1;
