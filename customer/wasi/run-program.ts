import { CallError } from "./abi.ts";
import { Clock } from "./clock.ts";
import { Descriptors, openDirectory, openFile, outputStream } from "./descriptors.ts";
import { FileSystem } from "./file-system.ts";
import { GuestMemory } from "./guest-memory.ts";
import { FileNode, type Space } from "./nodes.ts";
import { preview1, type CallName } from "./preview1.ts";
import { Exit } from "./process.ts";
import { WebAssembly, type Memory, type Module } from "./web-assembly.ts";

export interface ProgramFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Whether other runs have the same bytes, so that this one may not change them. */
  readonly isShared?: boolean;
}

export interface ProgramStart {
  /** Arguments with the name of the program in front. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly input: Uint8Array;
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
  readonly files: () => [path: string, content: Uint8Array][];
}

/** Runs a program in an instance of its own. */
export function runProgram(module: Module, start: ProgramStart): ProgramEnd {
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
  const { exitCode, trap } = run(module, imports, (own) => (memory = new GuestMemory(own)));
  return {
    exitCode,
    trap,
    output: output.content(),
    errors: errors.text(),
    files: () => [...files.files()].map(([path, file]) => [path, file.content()]),
  };
}

/** Says what is wrong with data that cannot be given to the program. */
function placed(what: string, { length }: Uint8Array, { left }: Space, place: () => void): void {
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

function run(
  module: Module,
  imports: Record<CallName, (...values: never[]) => number>,
  started: (memory: Memory) => void,
): Pick<ProgramEnd, "exitCode" | "trap"> {
  try {
    const { exports } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
    started(exports["memory"] as Memory);
    (exports["_start"] as () => void)();
    return { exitCode: 0, trap: undefined };
  } catch (error) {
    if (error instanceof Exit) return { exitCode: error.code, trap: undefined };
    return { exitCode: 1, trap: error instanceof Error ? error : new Error(String(error)) };
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
