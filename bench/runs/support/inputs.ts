/** The input of a no-op task: 100 characters, another for each index. */
export function inputOf(index: number, prefix = ""): string {
  return `${prefix}${index} `.padEnd(100, ".");
}

export function* inputs(count: number, prefix = ""): Generator<string> {
  for (let index = 0; index < count; index++) yield inputOf(index, prefix);
}
