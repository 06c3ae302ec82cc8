import { CallError } from "./abi.ts";
import { Clock } from "./clock.ts";
import { Descriptors, openDirectory, openFile, outputStream } from "./descriptors.ts";
import { FileSystem } from "./file-system.ts";
import { GuestMemory } from "./guest-memory.ts";
import { FetchFailure, LazyContent, Missing } from "./lazy-content.ts";
import { FileNode, type Space } from "./nodes.ts";
import { contentCalls, preview1, type CallName, type Import } from "./preview1.ts";
import { Exit } from "./process.ts";
import { WebAssembly, type Memory, type Module } from "./web-assembly.ts";

export interface ProgramFile {
  readonly path: string;
  /** Its bytes; lazy ones where {@link canWait}. */
  readonly bytes: Uint8Array | LazyContent;
  /** Whether other runs have the same bytes, so that this one may not change them. */
  readonly isShared?: boolean;
}

export interface ProgramStart {
  /** Arguments with the name of the program in front. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly input: Uint8Array | LazyContent;
  readonly files: readonly ProgramFile[];
  /** Start of the clock in milliseconds since 1970. */
  readonly timeMs: number;
  /** Numbers uniform in [0, 1). */
  readonly random: () => number;
  /** Most bytes of memory, files and standard output together. */
  readonly memoryBytes: number;
}

export interface ProgramEnd {
  readonly exitCode: number;
  /** Error that stopped the program instead of an exit. */
  readonly trap: Error | undefined;
  readonly output: Uint8Array;
  /** Standard error; of a long one its start and end. */
  readonly errors: string;
  /** The files at the end, ordered by path. */
  readonly files: () => [path: string, content: () => Promise<Uint8Array>][];
}

const { Suspending, promising } = WebAssembly;

/** Whether a program can wait for bytes that it reads, by JavaScript Promise Integration. */
export const canWait = Suspending !== undefined && promising !== undefined;

/** Runs a program in an instance of its own. @throws what a fetch of lazy content has thrown */
export async function runProgram(module: Module, start: ProgramStart): Promise<ProgramEnd> {
  let memory: GuestMemory | undefined;
  let used = 0;
  const space: Space = {
    get left() {
      return start.memoryBytes - used - (memory?.size ?? 0);
    },
    take(bytes) {
      if (bytes > space.left) throw new CallError("nospc");
      used += bytes;
    },
    give(bytes) {
      used -= bytes;
    },
  };
  const clock = new Clock(start.timeMs);
  const files = new FileSystem(space, () => clock.now());
  const descriptors = new Descriptors((node) => files.forget(node));
  const output = new FileNode(0n, 0n, space);
  const errors = new Excerpt();
  files.root.entries.set("tmp", files.makeDirectory());
  for (const { path, bytes, isShared = false } of start.files)
    placed(`The file ${path}`, bytes, space, () => files.put(path, bytes, isShared));
  placed("Standard input", start.input, space, () =>
    descriptors.add(openFile(new FileNode(0n, 0n, space, start.input, true))),
  );
  descriptors.add(outputStream((bytes) => output.write(bytes, output.size)));
  descriptors.add(outputStream((bytes) => errors.add(bytes)));
  descriptors.add(openDirectory(files.root, { preopened: "/" }));
  const imports = preview1({
    arguments: start.arguments.map(encoded),
    environment: Object.entries(start.environment).map(([name, value]) => encoded(`${name}=${value}`)),
    memory: () => memory!,
    files,
    descriptors,
    clock,
    randomize(bytes) {
      for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(start.random() * 256);
    },
  });
  const isLazy = [start.input, ...start.files.map(({ bytes }) => bytes)].some(
    (content) => content instanceof LazyContent,
  );
  const { exitCode, trap } = await run(module, imports, isLazy, (own) => (memory = new GuestMemory(own)));
  return {
    exitCode,
    trap,
    output: output.content(),
    errors: errors.text(),
    files: () => [...files.files()].map(([path, file]) => [path, () => wholeContent(file)]),
  };
}

/** Says what is wrong with data that cannot be given to the program. */
function placed(what: string, content: Uint8Array | LazyContent, { left }: Space, place: () => void): void {
  const { length } = content instanceof LazyContent ? content.bytes : content;
  if (length > left)
    throw new Error(`${what} has ${length} bytes; ${left} are left of the task's memory (memoryMb).`);
  try {
    place();
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    throw new Error(`${what} cannot be placed: its path leads out, or through another file.`, {
      cause: error,
    });
  }
}

async function run(
  module: Module,
  imports: Record<CallName, Import>,
  isLazy: boolean,
  started: (memory: Memory) => void,
): Promise<Pick<ProgramEnd, "exitCode" | "trap">> {
  try {
    const { exports } = new WebAssembly.Instance(module, {
      wasi_snapshot_preview1: isLazy ? { ...imports, ...waiting(imports) } : imports,
    });
    started(exports["memory"] as Memory);
    const main = exports["_start"] as () => void;
    if (isLazy) await promising!(main)();
    else main();
    return { exitCode: 0, trap: undefined };
  } catch (error) {
    if (error instanceof FetchFailure) throw error.cause;
    if (error instanceof Exit) return { exitCode: error.code, trap: undefined };
    return { exitCode: 1, trap: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** The functions that may have to wait. A call of these costs 0.1 to 0.6 µs more, so programs without lazy content have the plain ones. */
function waiting(imports: Record<CallName, Import>): Record<string, unknown> {
  return Object.fromEntries(contentCalls.map((name) => [name, new Suspending!(imports[name])]));
}

async function wholeContent(file: FileNode): Promise<Uint8Array> {
  try {
    return file.content();
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    await error.fetch();
    return wholeContent(file);
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const mostStartBytes = 512;
const mostEndBytes = 2048;

/** Keeps the start and the end of a stream of any length. */
class Excerpt {
  readonly #start = new Uint8Array(mostStartBytes);
  #startLength = 0;
  /** Room for a multiple of what is kept, so that most writes move nothing. */
  readonly #end = new Uint8Array(8 * mostEndBytes);
  #endLength = 0;
  #length = 0;

  add(bytes: Uint8Array): void {
    this.#length += bytes.length;
    const first = bytes.subarray(0, mostStartBytes - this.#startLength);
    this.#start.set(first, this.#startLength);
    this.#startLength += first.length;
    const rest = bytes.subarray(first.length).subarray(-mostEndBytes);
    if (this.#endLength + rest.length > this.#end.length) {
      this.#end.copyWithin(0, this.#endLength - mostEndBytes, this.#endLength);
      this.#endLength = mostEndBytes;
    }
    this.#end.set(rest, this.#endLength);
    this.#endLength += rest.length;
  }

  text(): string {
    const kept = this.#end.subarray(Math.max(0, this.#endLength - mostEndBytes), this.#endLength);
    const [start, end] = [this.#start.subarray(0, this.#startLength), kept].map((part) =>
      new TextDecoder().decode(part),
    );
    const dropped = this.#length - this.#startLength - kept.length;
    return dropped > 0 ? `${start}\n[… ${dropped} bytes …]\n${end}` : `${start}${end}`;
  }
}
