import { PlatformError } from "../shared/errors.ts";
import { limits } from "../shared/limits.ts";

/** Options that every type of parallelism takes, as `key=value`. */
export interface SharedOptions {
  /** Priority of the program's jobs that have none of their own. */
  readonly priority?: number;
  /** Name of the program's jobs that have none of their own. */
  readonly name?: string;
  /** Access token of the server. */
  readonly token?: string;
  /** Cache directory of the clients that are started for this program. */
  readonly cache?: string;
}

/** A parsed `--parallel` string: where a program computes. */
export type ParallelSpec =
  /** `url`: one address, or several separated by commas. */
  | { readonly type: "dc"; readonly url: string; readonly options: SharedOptions }
  | {
      readonly type: "thread";
      readonly threads: number | "auto";
      readonly scratch?: string;
      readonly options: SharedOptions;
    }
  | {
      readonly type: "mpi";
      readonly ranks: number;
      readonly scratch: string;
      readonly options: SharedOptions;
    };

/** Grammar of `--parallel`, for help texts and refusals. */
export const parallelGrammar = `  dc:HOST[:PORT]       a server and whoever computes for it (port 9990 unless said otherwise)
  http(s)://HOST:PORT  the same, by its address; HOST:PORT too. Several servers of the same data: their addresses
                       with http(s)://, separated by commas
  thread:N[:SCRATCH]   N processes on this machine (or auto: one a core), no server, no port; with a directory
                       SCRATCH the work survives a kill and goes on
  mpi:N:SCRATCH        N ranks under MPI; SCRATCH is a directory that every node sees
  …:key=value          options: priority=N, name=TEXT, token=TOKEN, cache=DIRECTORY. Parts may be named as well:
                       dc:host=HOST:port=PORT, thread:threads=N:scratch=DIR, mpi:ranks=N:scratch=DIR
                       An IPv6 host stands in brackets; a colon inside a value is written \\:`;

const defaultPort = 9990;
const maxRanks = 100_000;

const oneAddress = String.raw`\s*https?://(\[[^\]]*\]|[^/:?#,]*)(:\d+)?(/[^:,]*)?`;
const addressList = new RegExp(`^${oneAddress}(,${oneAddress})*`, "i");

/**
 * Reads a `--parallel` string. EMAN2's spellings have the same meaning.
 *
 * @throws PlatformError BAD_OPTION that points at the character and shows the grammar
 * @see https://blake.bcm.edu/emanwiki/EMAN2/Parallel
 */
export function parseParallel(text: string): ParallelSpec {
  const reader = new SpecReader(text);
  const addresses = addressList.exec(text)?.[0];
  if (addresses !== undefined) {
    reader.startAfter(addresses);
    const urls = addresses.split(",").map((address) => address.trim());
    const wrong = urls.find((url) => !URL.canParse(url));
    if (wrong !== undefined) throw reader.refuse(text.indexOf(wrong), `"${wrong}" is no address`);
    return { type: "dc", url: urls.join(), options: reader.finish() };
  }
  reader.startAfter("");
  const type = reader.peek();
  if (type && isHostAndPort(text.trim())) return readServer(reader);
  reader.skip();
  switch (type?.text) {
    case "dc":
      return readServer(reader);
    case "thread":
      return readThread(reader);
    case "mpi":
      return readMpi(reader);
  }
  throw reader.refuse(reader.begin, "expected dc, thread, mpi or the address of a server");
}

/** Reads an address such as `head:9990`. The port has three digits or more, so that `threads:4` stays a mistake. */
function isHostAndPort(text: string): boolean {
  return /^(?!(dc|thread|mpi):)(\[[^\]]*\]|[\w.-]+):\d{3,5}(:\w+=|$)/.test(text);
}

function readServer(reader: SpecReader): ParallelSpec {
  const host = reader.need("host", "the host of a server: dc:HOST:PORT");
  if (!URL.canParse(`http://${host.text}`) || !/^(\[[0-9a-f:.]+\]|[^[\]\s/@?#]+)$/i.test(host.text))
    throw reader.refuse(host.at, `"${host.text}" is no host`);
  const port = reader.take("port");
  const number = port ? reader.whole(port, 1, 65_535) : defaultPort;
  return { type: "dc", url: `http://${host.text}:${number}`, options: reader.finish() };
}

function readThread(reader: SpecReader): ParallelSpec {
  const count = reader.need("threads", "the number of threads: thread:N or thread:auto");
  const threads = count.text === "auto" ? "auto" : reader.whole(count, 1, limits.slotsPerClient, "auto or ");
  const scratch = reader.take("scratch");
  return { type: "thread", threads, ...(scratch && { scratch: scratch.text }), options: reader.finish() };
}

function readMpi(reader: SpecReader): ParallelSpec {
  const ranks = reader.whole(reader.need("ranks", "the number of ranks: mpi:N:SCRATCH"), 1, maxRanks);
  const scratch = reader.need("scratch", "a scratch directory that every node sees: mpi:N:SCRATCH");
  return { type: "mpi", ranks, scratch: scratch.text, options: reader.finish() };
}

/** A part between two colons: its name if any, its value, and where the value begins in the text. */
interface Part {
  readonly key: string | undefined;
  readonly text: string;
  readonly at: number;
}

/** Reads the parts of a text one after the other, and makes refusals that point into the text. */
class SpecReader {
  /** Number of blanks before the text. */
  readonly begin: number;
  readonly #text: string;
  #parts: Part[] = [];

  constructor(text: string) {
    this.#text = text.trimEnd();
    this.begin = this.#text.length - this.#text.trimStart().length;
  }

  /** Reads the parts behind `head`, with which the text begins. */
  startAfter(head: string): void {
    const { length } = head.trimEnd();
    if (length === 0) this.#parts = split(this.#text, this.begin);
    else if (this.#text[length] === ":") this.#parts = split(this.#text, length + 1);
    else if (length < this.#text.length)
      throw this.refuse(length, "expected the end, or options behind a colon");
  }

  peek(): Part | undefined {
    return this.#parts[0];
  }

  skip(): void {
    this.#parts.shift();
  }

  /** Takes the next part when it has no name, else the part of this name. */
  take(key: string): Part | undefined {
    const at = this.#parts[0]?.key === undefined ? 0 : this.#parts.findIndex((part) => part.key === key);
    const [part] = at < 0 ? [] : this.#parts.splice(at, 1);
    if (part?.text === "") throw this.refuse(part.at, `expected a value for ${key}`);
    return part;
  }

  need(key: string, what: string): Part {
    const part = this.take(key);
    if (!part) throw this.refuse(this.#parts[0]?.at ?? this.#text.length, `expected ${what}`);
    return part;
  }

  whole({ text, at }: Part, min: number, max: number, or = ""): number {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw this.refuse(at, `expected ${or}a whole number from ${min} to ${max}`);
  }

  /** Reads the remaining parts, which must be shared options. */
  finish(): SharedOptions {
    const [stray] = this.#parts.filter((part) => part.key === undefined);
    if (stray) throw this.refuse(stray.at, "expected the end, or key=value");
    const priority = this.take("priority");
    const options: SharedOptions = {
      ...(priority && { priority: this.whole(priority, limits.minPriority, limits.maxPriority) }),
      ...this.#textOption("name"),
      ...this.#textOption("token"),
      ...this.#textOption("cache"),
    };
    const [unknown] = this.#parts;
    if (!unknown) return options;
    const twice = ["priority", "name", "token", "cache"].includes(unknown.key ?? "");
    const at = unknown.at - (unknown.key ?? "").length - 1;
    throw this.refuse(at, twice ? `${unknown.key} stands there twice` : `"${unknown.key}" is no option here`);
  }

  refuse(at: number, what: string): PlatformError {
    return new PlatformError(
      "BAD_OPTION",
      `--parallel, at character ${at + 1}: ${what}.\n  ${this.#text}\n  ${" ".repeat(at)}^\nExpected one of\n${parallelGrammar}\n`,
    );
  }

  #textOption(key: "name" | "token" | "cache"): SharedOptions {
    const part = this.take(key);
    return part ? { [key]: part.text } : {};
  }
}

/** Splits at colons, but not inside brackets at the beginning of a value (IPv6) and not behind a backslash. */
function split(text: string, from: number): Part[] {
  const parts: Part[] = [];
  const pattern = /(?:([A-Za-z]\w*)=)?(\[[^\]]*\](?=:|$)|(?:\\.|[^:\\]|\\$)*)(:|$)/gy;
  pattern.lastIndex = from;
  for (;;) {
    const match = pattern.exec(text);
    const [whole = "", key, value = "", end] = match ?? [];
    const at = pattern.lastIndex - (end ?? "").length - value.length;
    parts.push({ key, text: value.replaceAll(/\\([:\\])/g, "$1"), at });
    if (end !== ":" || whole === "") return parts;
  }
}
