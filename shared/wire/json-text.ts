/**
 * JSON text as what it says, or a refusal where JSON.parse would lose something without a word: of two members of one name it
 * keeps the last, an integer beyond 2^53 becomes its neighbour, 1e999 becomes Infinity.
 * @throws Error naming the place in the text, the member or the number
 */
export function parseJsonText(text: string): unknown {
  const json: unknown = mayRound.test(text)
    ? (JSON.parse as ParseWithSource)(text, refuseRounded)
    : JSON.parse(text);
  const twice = repeatedMember(text);
  if (twice !== undefined) throw new Error(`an object has two members ${twice}`);
  return json;
}

/** Only a number of so many digits, or with an exponent, may be another than is written. */
const mayRound = /\d{16}|\d[eE]/;

/** A reviver that is told what stood in the text (ECMAScript, "JSON.parse source text access"). */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

function refuseRounded(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value === "number" && source !== undefined && isOther(value, source))
    throw new Error(
      `the number ${source.slice(0, 40)} cannot be kept: a number holds integers up to 2^53 and magnitudes from 5e-324 to 1.8e308 (send it as a string)`,
    );
  return value;
}

/** Whether a literal's number differs from the literal. Rounded digits of a fraction are no difference. */
function isOther(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true;
  if (value === 0) return /[1-9]/.test(source.replace(/[eE].*/, ""));
  // Programs write a large double as its shortest distinguishing digits and zeros: that text is its number.
  return /^-?\d+$/.test(source) && source !== String(value) && BigInt(source) !== BigInt(value);
}

const [quote, backslash, colon, openBrace, closeBrace, openBracket, closeBracket] = Array.from(
  '"\\:{}[]',
  (character) => character.charCodeAt(0),
) as [number, number, number, number, number, number, number];

/** The first name (as written, quotes included) that an object of a valid JSON text has twice. */
function repeatedMember(text: string): string | undefined {
  /** Names so far of each object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === openBrace) open.push(new Set());
    else if (unit === openBracket) open.push(undefined);
    else if (unit === closeBrace || unit === closeBracket) open.pop();
    if (unit !== quote) continue;
    const end = endOfString(text, at);
    const names = open.at(-1);
    if (names && isBeforeColon(text, end)) {
      const written = text.slice(at, end);
      const name = written.includes("\\") ? (JSON.parse(written) as string) : written.slice(1, -1);
      if (names.has(name)) return written;
      names.add(name);
    }
    at = end - 1;
  }
  return undefined;
}

/** The position after the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at + 1;
}

function isBeforeColon(text: string, end: number): boolean {
  let at = end;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return text.charCodeAt(at) === colon;
}
