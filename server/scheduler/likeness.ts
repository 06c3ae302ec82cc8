/** Characters of a message that are compared: the part behind them is mostly the input. */
const comparedChars = 200;

/**
 * The common part of failures that are alike: their kind, and their message without the parts that differ from input
 * to input (numbers, hashes, quoted text).
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
