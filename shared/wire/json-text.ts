import { BeyondBounds, messagePackBounds } from "./messagepack-walk.ts";

/**
 * Elements of all containers in a body or line that a server takes, as many as a frame may have. The slowest text, 262,144 names in one
 * object, takes 0.6 s; one of 700,000 took 3.5 s.
 */
export const servedJsonElements = messagePackBounds.frame.elements;

/**
 * Parses JSON text, and refuses text that JSON.parse would change in silence: of two members of one name JSON.parse keeps the
 * last, an integer beyond 2^53 becomes its neighbour, 1e999 becomes Infinity.
 * @param maxElements - of all containers together, counted before parsing; a name and its value are two elements
 * @throws Error naming the place in the text, the member or the number; {@link BeyondBounds}
 */
export function parseJsonText(text: string, maxElements = Infinity): unknown {
  if (maxElements < text.length) boundElements(text, maxElements);
  const json: unknown = JSON.parse(text);
  const lost = lostIn(text);
  if (lost !== undefined) throw new Error(lost);
  return json;
}

const [space, quote, comma, minus, colon, backslash] = codesOf(' ",-:\\');
const [openBracket, closeBracket, openBrace, closeBrace] = codesOf("[]{}");

/** Counts elements at 1 ns a character, in text that need not be JSON. @throws BeyondBounds */
function boundElements(text: string, maxElements: number): void {
  let elements = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === quote) at = endOfString(text, at) - 1;
    else if (unit === comma || unit === colon || unit === openBrace || unit === openBracket) elements += 1;
    if (elements > maxElements) throw new BeyondBounds(`containers hold more than ${maxElements} elements`);
  }
}

/** The names so far of an open object, as one string while there is one name only; undefined for an array. */
type Names = string | Set<string> | undefined;
const noNames = new Set<string>();

/** The message about the first member or number of a valid text that JSON.parse would lose; undefined without one. */
function lostIn(text: string): string | undefined {
  /** An entry for each open container, outermost first. */
  const open: Names[] = [];
  let isBeforeName = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit <= space) continue;
    if (unit === quote) {
      const end = endOfString(text, at);
      if (isBeforeName && isRepeated(open, text.slice(at, end)))
        return `an object has two members ${text.slice(at, end)}`;
      isBeforeName = false;
      at = end - 1;
    } else if (unit === comma) isBeforeName = open.at(-1) !== undefined;
    else if (unit === openBrace || unit === openBracket) {
      isBeforeName = unit === openBrace;
      open.push(isBeforeName ? noNames : undefined);
    } else if (unit === closeBrace || unit === closeBracket) open.pop();
    else if (isDigit(unit) || unit === minus) {
      const end = endOfNumber(text, at);
      if (isRounded(text, at, end))
        return `the number ${text.slice(at, Math.min(end, at + 40))} cannot be kept: a number holds integers up to 2^53 and magnitudes from 5e-324 to 1.8e308 (send it as a string)`;
      at = end - 1;
    }
  }
  return undefined;
}

/** Adds a name (as written, quotes included) to the innermost object. @returns whether the object had the name already */
function isRepeated(open: Names[], written: string): boolean {
  const name = written.includes("\\") ? (JSON.parse(written) as string) : written.slice(1, -1);
  const last = open.length - 1;
  const names = open[last];
  if (typeof names === "string") {
    open[last] = new Set([names, name]);
    return names === name;
  }
  if (names === noNames || names === undefined) {
    open[last] = name;
    return false;
  }
  const { size } = names;
  return names.add(name).size === size;
}

/** A number with fewer digits and no exponent never loses any. */
const exactDigits = 16;

function isRounded(text: string, start: number, end: number): boolean {
  if (end - start < exactDigits && !hasExponent(text, start, end)) return false;
  const source = text.slice(start, end);
  return isOther(Number(source), source);
}

function hasExponent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((text.charCodeAt(at) | caseBit) === letterE) return true;
  return false;
}

/** Whether a literal's number differs from the literal. Rounded digits of a fraction are no difference. */
function isOther(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return true;
  if (value === 0) return /[1-9]/.test(source.replace(/[eE].*/, ""));
  // Programs write a large double as its shortest distinguishing digits and zeros: that text is its number.
  return /^-?\d+$/.test(source) && source !== String(value) && BigInt(source) !== BigInt(value);
}

const caseBit = 0x20;
const letterE = 0x65;

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** The position after the number at `start`, which a blank, comma or closing bracket follows in valid text. */
function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit <= space || unit === comma || unit === closeBracket || unit === closeBrace) break;
  }
  return at;
}

/** The position after the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at + 1;
}

function codesOf(text: string): [number, number, number, number, number, number] {
  return Array.from(text, (character) => character.charCodeAt(0)) as ReturnType<typeof codesOf>;
}
