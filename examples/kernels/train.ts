/**
 * Trains a small neural network to tell a molecule's polar surface from the characters of its SMILES, by stochastic gradient descent. A task goes on
 * from where the task before stopped, for twice as many epochs as were trained, so that a chain of tasks is one long training.
 */
import type { DataReference, KernelContext } from "../../parallel/index.ts";

/** Settings among which a search finds the best. */
export interface Settings {
  readonly rate: number;
  readonly momentum: number;
  readonly batch: number;
  readonly hidden: number;
}

/** A network under training. Its `weights` are empty before the first task. */
export interface Training {
  readonly settings: Settings;
  readonly molecules: DataReference;
  readonly weights: Float64Array;
  /** Error for the molecules that it is not trained with after each epoch, Å² (root mean square). */
  readonly errors: readonly number[];
}

const [features, firstEpochs, scale] = [64, 3, 100];

/** Lines of SMILES and area as rows of features, which end with the area. */
function read(text: string): Float64Array[] {
  const rows = text.split("\n").filter((line) => /^[^#].*,/.test(line));
  return rows.map((row) => {
    const [smiles = "", area] = row.split(",");
    const vector = new Float64Array(features + 1);
    for (let i = 0; i < smiles.length; i++) {
      vector[smiles.charCodeAt(i) % 32]!++;
      vector[32 + ((smiles.charCodeAt(i) * 31 + (smiles.charCodeAt(i + 1) || 0)) % 32)]!++;
    }
    for (let i = 0; i < features; i++) vector[i] = Math.log1p(vector[i]!);
    vector[features] = Number(area) / scale;
    return vector;
  });
}

/** The network's answer; `active` gets the values of its hidden units. */
function answer(weights: Float64Array, row: Float64Array, active: Float64Array): number {
  let sum = weights.at(-1)!;
  for (let unit = 0, at = 0; unit < active.length; unit++) {
    let value = weights[at++]!;
    for (let i = 0; i < features; i++) value += weights[at++]! * row[i]!;
    active[unit] = Math.max(0, value);
    sum += active[unit]! * weights[at++]!;
  }
  return sum;
}

export default async function train(training: Training, ctx: KernelContext): Promise<Training> {
  const { settings, molecules } = training;
  const { rate, momentum, batch, hidden } = settings;
  const rows = read(new TextDecoder().decode(await ctx.data(molecules)));
  const [known, unknown] = [rows.filter((_, i) => i % 5 > 0), rows.filter((_, i) => i % 5 === 0)];
  const size = hidden * (features + 2) + 1;
  const weights = training.weights.length > 0 ? training.weights.slice() : new Float64Array(size);
  if (training.weights.length === 0)
    for (let i = 0; i < size; i++) weights[i] = (ctx.random() - 0.5) / Math.sqrt(features / 4);
  const [gradient, velocity, active] = [size, size, hidden].map((length) => new Float64Array(length));
  const errors = [...training.errors];
  const epochs = Math.max(firstEpochs, 2 * errors.length);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let from = 0; from < known.length; from += batch) {
      gradient!.fill(0);
      for (let i = 0; i < batch; i++) {
        const row = known[Math.floor(ctx.random() * known.length)]!;
        const miss = answer(weights, row, active!) - row[features]!;
        gradient![size - 1]! += miss;
        for (let unit = 0, at = 0; unit < hidden; unit++, at += features + 2) {
          if (active![unit] === 0) continue;
          const back = miss * weights[at + features + 1]!;
          gradient![at]! += back;
          for (let f = 0; f < features; f++) gradient![at + 1 + f]! += back * row[f]!;
          gradient![at + features + 1]! += miss * active![unit]!;
        }
      }
      for (let i = 0; i < size; i++) {
        velocity![i] = momentum * velocity![i]! - (rate / batch) * gradient![i]!;
        weights[i]! += velocity![i]!;
      }
    }
    const squares = unknown.map((row) => (answer(weights, row, active!) - row[features]!) ** 2);
    const error = scale * Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
    errors.push(Number.isFinite(error) ? error : Infinity);
    ctx.progress((epoch + 1) / epochs);
  }
  return { settings, molecules, weights, errors };
}
