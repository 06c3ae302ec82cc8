import { constants } from "node:buffer";
import { open, type FileHandle } from "node:fs/promises";
import { messageOf, PlatformError } from "../../shared/errors.ts";

/** Text in pieces, and the name of its source for refusals. */
export interface TextSource {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * Opens a file, or standard input for `-`, without reading it, so that a wrong path is refused before other work begins.
 * @throws PlatformError FILE_FAILED
 */
export async function openText(path: string): Promise<TextSource> {
  if (path === "-") return { name: "standard input", chunks: process.stdin };
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    if ((await file.stat()).isDirectory()) throw new Error("it is a directory; expected a file");
    return { name: path, chunks: withReasons(path, file.createReadStream()) };
  } catch (error) {
    await file?.close();
    throw unreadable(path, error);
  }
}

async function* withReasons(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): PlatformError {
  const reason = messageOf(error);
  return new PlatformError("FILE_FAILED", `${path} cannot be read: ${reason}.`, error);
}

/** Encodings by their byte order mark, which Excel and PowerShell write (Unicode 17, §23.8). */
const marks: readonly (readonly [string, readonly number[]])[] = [
  ["utf-8", [0xef, 0xbb, 0xbf]],
  ["utf-16le", [0xff, 0xfe]],
  ["utf-16be", [0xfe, 0xff]],
];

/**
 * Decodes UTF-8, or UTF-16 with a byte order mark, piece by piece.
 * @throws PlatformError BAD_ARGUMENT for gzip, other encodings and binary data
 */
async function* decoded({ name, chunks }: TextSource): AsyncGenerator<string, void, undefined> {
  let decoder: TextDecoder | undefined;
  let begin: Uint8Array = new Uint8Array();
  const decode = (bytes: Uint8Array, isLast: boolean): string => {
    try {
      return (decoder ??= decoderOf(name, bytes)).decode(bytes, { stream: !isLast });
    } catch (error) {
      if (error instanceof PlatformError) throw error;
      throw new PlatformError(
        "BAD_ARGUMENT",
        `${name} is not text in UTF-8. Save it as UTF-8, or convert it: iconv -t UTF-8.`,
        error,
      );
    }
  };
  for await (const chunk of chunks) {
    // A pipe may split the mark.
    begin = decoder ? chunk : Buffer.concat([begin, chunk]);
    if (decoder || begin.length >= 3) yield decode(begin, false);
  }
  yield decode(decoder ? new Uint8Array() : begin, true);
}

function decoderOf(name: string, bytes: Uint8Array): TextDecoder {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw new PlatformError(
      "BAD_ARGUMENT",
      `${name} is compressed with gzip. Unpack it first: gunzip -c FILE | manyhands … --inputs -`,
    );
  const mark = marks.find(([, begin]) => begin.every((byte, at) => bytes[at] === byte));
  if (!mark && (bytes[0] === 0 || bytes[1] === 0))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `${name} is not text in UTF-8: it begins with a zero byte, as UTF-16 without a mark does. Save it as UTF-8.`,
    );
  return new TextDecoder(mark?.[0] ?? "utf-8", { fatal: true });
}

/** A text in pieces that are joined once, because joining each new piece would copy a long text again and again. */
class Pieces {
  readonly #what: () => string;
  #pieces: string[] = [];
  #length = 0;

  /** @param what - names the text in a refusal */
  constructor(what: () => string) {
    this.#what = what;
  }

  /** @throws PlatformError BAD_ARGUMENT when the text, which may have no end, is too long for a string */
  add(piece: string): void {
    this.#length += piece.length;
    if (this.#length > constants.MAX_STRING_LENGTH)
      throw new PlatformError(
        "BAD_ARGUMENT",
        `${this.#what()} has more than ${constants.MAX_STRING_LENGTH} characters; large data belongs in blobs (manyhands put).`,
      );
    this.#pieces.push(piece);
  }

  /** Returns the text so far and starts the next text. */
  take(): string {
    const text = this.#pieces.join("");
    this.#pieces = [];
    this.#length = 0;
    return text;
  }
}

/** Reads a whole text. @throws PlatformError FILE_FAILED, BAD_ARGUMENT */
export async function readText(source: TextSource): Promise<string> {
  const text = new Pieces(() => source.name);
  for await (const part of decoded(source)) text.add(part);
  return text.take();
}

/**
 * The lines of a text with their numbers from 1, without line ends (LF or CRLF) and blank lines. `readline` would also end
 * lines at U+2028, which may be inside a JSON string.
 * @throws PlatformError FILE_FAILED, BAD_ARGUMENT
 */
export async function* readLines(
  source: TextSource,
): AsyncGenerator<{ line: string; number: number }, void, undefined> {
  let number = 0;
  const line = new Pieces(() => `line ${number + 1} of ${source.name}`);
  for await (const part of decoded(source)) {
    const pieces = part.split("\n");
    const last = pieces.pop() ?? "";
    for (const piece of pieces) {
      line.add(piece);
      const whole = line.take();
      number++;
      if (whole.trim() !== "") yield { line: whole.endsWith("\r") ? whole.slice(0, -1) : whole, number };
    }
    line.add(last);
  }
  const rest = line.take();
  if (rest.trim() !== "") yield { line: rest, number: number + 1 };
}
