import * as v from "valibot";
import { PlatformError } from "../errors.ts";
import { limits } from "../limits.ts";

const rendezvousSchema = v.object({
  /** Version of this form. */
  manyhands: v.literal(1),
  /** Addresses of the server, with the most useful for other machines first. */
  urls: v.pipe(
    v.array(v.pipe(v.string(), v.regex(/^https?:\/\/\S+$/), v.maxLength(300))),
    v.minLength(1),
    v.maxLength(64),
  ),
  /** Client token. */
  token: v.pipe(v.string(), v.regex(/^\S+$/), v.maxLength(200)),
  /** Names one start of one server: a file of the same path with another `start` is of another server or start. */
  start: v.pipe(v.string(), v.minLength(1), v.maxLength(100)),
  /** Host and process of the server. A client on the same host sees by them that the server died. */
  host: v.pipe(v.string(), v.maxLength(limits.nameChars)),
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
});

/**
 * The content of a rendezvous file: the addresses of a server and a client token. The server leaves the file on a file system
 * that it shares with its clients (SPEC [RDV-1]).
 */
export type Rendezvous = v.InferOutput<typeof rendezvousSchema>;

/** Far above any real rendezvous file; a larger file is another kind of file. */
export const maxRendezvousBytes = 64 * 1024;

export function formatRendezvous(rendezvous: Rendezvous): string {
  return `${JSON.stringify(rendezvous, undefined, 2)}\n`;
}

/**
 * Reads the text of a rendezvous file.
 * @throws PlatformError BAD_OPTION that names the fault of the text
 */
export function parseRendezvous(text: string, file: string): Rendezvous {
  let value: unknown;
  try {
    // Editors may put a byte order mark in front.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw notOne(file, "it is no JSON");
  }
  const parsed = v.safeParse(rendezvousSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  // The message leaves the value out, because the file holds a token.
  throw notOne(file, `"${v.getDotPath(issue) ?? "the whole"}" is not as expected`);
}

function notOne(file: string, why: string): PlatformError {
  return new PlatformError(
    "BAD_OPTION",
    `${file} is no rendezvous file: ${why}. Expected the file that \`manyhands server --rendezvous FILE\` writes.`,
  );
}
