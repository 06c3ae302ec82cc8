import type { TaskFailure } from "./rest/failures.ts";

/**
 * What failures have in common that are most likely one fault: the message without its numbers, hashes and ids, which differ from task to
 * task.
 */
export function failurePattern({ message }: Pick<TaskFailure, "message">): string {
  return message.replaceAll(/\b(?:[0-9a-f]{8,}|0x[0-9a-f]+)\b|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/gi, "#");
}
