/** Prints the result of a run as the runner reads it, and ends the run with the processes it started. */
export function report(value: number, extras: Readonly<Record<string, unknown>> = {}): never {
  console.log(JSON.stringify({ value, ...extras }));
  process.exit(0);
}

/** A number with at most so many digits behind the point. */
export function rounded(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}
