/** Ends a run with what it measured, as the runner reads it. What the run started ends with it. */
export function report(value: number, extras: Readonly<Record<string, unknown>> = {}): never {
  console.log(JSON.stringify({ value, ...extras }));
  process.exit(0);
}

/** A number with so many digits behind the point, for what is read by people. */
export function rounded(value: number, digits = 0): number {
  return Number(value.toFixed(digits));
}
