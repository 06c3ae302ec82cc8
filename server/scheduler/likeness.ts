/** What is compared of a message: what comes later is mostly the input. */
const comparedChars = 200;

/**
 * What two failures have in common when they are alike: their kind, and their message without what differs from input to
 * input (numbers, hashes, what stands in quotes).
 */
export function likenessOf({ kind, message }: { kind: string; message: string }): string {
  const text = message
    .slice(0, comparedChars)
    .replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, "…")
    .replaceAll(/\b[0-9a-f]{8,}\b/gi, "#")
    .replaceAll(/[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?/gi, "#")
    .replaceAll(/\s+/g, " ")
    .trim();
  return `${kind}: ${text}`;
}
