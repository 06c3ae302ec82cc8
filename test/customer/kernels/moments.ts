/** Count, mean and sum of squared deviations of some numbers. */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly squares: number;
}

export default function moments(value: number): Moments {
  return { count: 1, mean: value, squares: 0 };
}

/** Chan, Golub and LeVeque's update for two samples. */
export function combine(a: Moments, b: Moments): Moments {
  const count = a.count + b.count;
  const delta = b.mean - a.mean;
  return {
    count,
    mean: a.mean + (delta * b.count) / count,
    squares: a.squares + b.squares + (delta ** 2 * a.count * b.count) / count,
  };
}
