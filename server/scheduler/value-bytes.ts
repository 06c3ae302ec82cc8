import type { Payload } from "../../shared/wire/protocol.ts";

/**
 * The next estimate of the bytes of a task in memory.
 * @param tasks - the newest tasks
 * @param outputs - outputs that are in memory with the tasks
 */
export function estimateBytes(
  before: number,
  tasks: readonly { readonly input: Payload }[],
  outputs: Iterable<Payload> = [],
): number {
  if (tasks.length === 0) return before;
  let bytes = 0;
  for (const { input } of tasks) bytes += bytesOf(input);
  for (const output of outputs) bytes += bytesOf(output);
  return Math.max(256, bytes / tasks.length, before / 4);
}

function bytesOf(value: Payload): number {
  return value instanceof Uint8Array ? value.length : 128;
}
