/** Ends a run with what it measured, as the runner reads it. What the run started ends with it. */
export function report(value: number, extras: Readonly<Record<string, number | string>> = {}): never {
  console.log(JSON.stringify({ value, ...extras }));
  process.exit(0);
}
