import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { isAbsolute } from "node:path";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { limits } from "../../shared/limits.ts";
import { commandLimits } from "../../shared/wire/command.ts";
import { commandNameSchema, maxCommands } from "../../shared/wire/command-name.ts";

const positive = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));
const absolutePath = v.pipe(
  v.string(),
  v.maxLength(commandLimits.pathChars),
  v.check((path) => isAbsolute(path) && !path.includes("\0"), "expected an absolute path"),
);

const maxMb = 1024 * 1024;

const allowedSchema = v.strictObject({
  /** The executable: of this machine, or of the image. */
  path: absolutePath,
  /** Container image that has the executable: its name at podman or docker, or a directory with its files. */
  image: v.optional(
    v.pipe(
      v.string(),
      v.maxLength(commandLimits.pathChars),
      v.check(
        (image) => (isAbsolute(image) && !image.includes("\0")) || /^[A-Za-z0-9][\w.:/@-]*$/.test(image),
        "expected the name of a container image, such as docker.io/ncbi/blast:2.16.0, or an absolute path",
      ),
    ),
  ),
  /** Arguments in front of those of the customer. */
  args: v.optional(v.array(v.string()), () => []),
  /** Environment of the command beside the few variables that each has. */
  env: v.optional(v.record(v.string(), v.string()), () => ({})),
  /** Longest run in seconds; the timeout of the job holds as well. */
  seconds: v.optional(positive(limits.maxTimeoutMs / 1000)),
  /** Most memory of the command and all that it starts, in MiB; `memoryMb` of the job holds as well. */
  memoryMb: v.optional(positive(limits.maxMemoryMb)),
  /** Most processes at a time. */
  processes: v.optional(positive(100_000), 64),
  /** Threads that libraries such as OpenMP and OpenBLAS start: a slot is one core. */
  threads: v.optional(positive(1024), 1),
  /** Most standard output in MiB. */
  stdoutMb: v.optional(positive(1024), 64),
  /** Most bytes that the command may leave on disk, in MiB. */
  outputMb: v.optional(positive(maxMb), 1024),
  network: v.optional(v.boolean(), false),
  /** Directories and files that the command reads beside the system's own. */
  reads: v.optional(v.array(absolutePath), () => []),
  /** Directories that the command changes. */
  writes: v.optional(v.array(absolutePath), () => []),
});

const fileSchema = v.pipe(
  v.record(commandNameSchema, v.union([absolutePath, allowedSchema])),
  v.check((all) => Object.keys(all).length > 0, "expected at least one command"),
  v.check((all) => Object.keys(all).length <= maxCommands, `expected at most ${maxCommands} commands`),
);

/** The files of a container image on this machine. */
export interface ImageFiles {
  /** Directory with the files of the image. */
  readonly root: string;
  /** Environment that the image gives to its programs. */
  readonly env: Readonly<Record<string, string>>;
}

/** A command that the owner of the machine allows. */
export interface AllowedCommand extends v.InferOutput<typeof allowedSchema> {
  readonly name: string;
  /** Files of the image, once they are provided. */
  readonly files?: ImageFiles;
}

/**
 * Reads the file of the commands that the owner of this machine allows: a JSON object from names to paths of executables, or to objects with
 * `path` and limits. Images are not looked for.
 * @throws PlatformError FILE_FAILED, BAD_OPTION
 */
export function readAllowedCommands(file: string): AllowedCommand[] {
  const wrong = (what: string, cause?: unknown): PlatformError =>
    new PlatformError(
      "BAD_OPTION",
      `The file ${file} of allowed commands: ${what} Expected JSON such as {"blastp": {"path": "/usr/bin/blastp", "memoryMb": 4096}}.`,
      cause,
    );
  let text: string;
  try {
    text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new PlatformError(
      "FILE_FAILED",
      `The file ${file} of allowed commands cannot be read: ${messageOf(error)}.`,
      error,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw wrong(`it is no JSON (${messageOf(error)}).`, error);
  }
  const parsed = v.safeParse(fileSchema, json);
  if (!parsed.success) throw wrong(describe(parsed.issues[0]));
  return Object.entries(parsed.output).map(([name, given]) => {
    const allowed = typeof given === "string" ? v.parse(allowedSchema, { path: given }) : given;
    const refusal = allowed.image === undefined ? refusalOf(allowed.path) : undefined;
    if (refusal !== undefined) throw wrong(`${name}: ${allowed.path} ${refusal}.`);
    return { name, ...allowed };
  });
}

/** The deepest issue: a union tells what is wrong with each of its members. */
function describe(issue: v.BaseIssue<unknown>): string {
  const inner = issue.issues?.findLast(({ path }) => path !== undefined) ?? issue.issues?.[0];
  const place = [issue, ...(inner ? [inner] : [])].flatMap(({ path = [] }) =>
    path.map(({ key }) => String(key)),
  );
  return `${place.join(".")}${place.length > 0 ? ": " : ""}${(inner ?? issue).message}.`;
}

/** Reason to refuse an executable; undefined for one that may run. */
export function refusalOf(path: string): string | undefined {
  try {
    const found = statSync(path);
    if (!found.isFile()) return "is no file";
    accessSync(path, constants.X_OK);
    // A file that everybody may write may be another program by now than the owner named.
    if ((found.mode & 0o002) !== 0) return "may be written by everybody";
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES"
      ? "is not executable"
      : `cannot be found (${messageOf(error)})`;
  }
}
