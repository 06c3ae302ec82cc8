import { PlatformError } from "../shared/errors.ts";
import { parseServerAddress } from "../shared/server-address.ts";
import { Hands } from "./hands.ts";
import { HttpClient } from "./http.ts";
import { findLocalToken } from "./local-token.ts";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Access token; else `MANYHANDS_TOKEN`, else the one that a server on this machine left for its user. */
  readonly token?: string | undefined;
  /** Name that jobs get when they are given none; else that of their kernel. */
  readonly name?: string | undefined;
  /** Priority of jobs that are given none; 0 unless said otherwise. */
  readonly priority?: number | undefined;
  /** How long to try to reach the server at first, in ms; 5 s unless said otherwise. */
  readonly connectMs?: number | undefined;
  /**
   * How long a request is repeated, in ms, while the server is away or too busy. Unless said otherwise for ever: a server
   * that is down for hours costs a program nothing but the wait.
   */
  readonly patienceMs?: number | undefined;
  /**
   * A connection that moves no byte for so long, while one is waited for, counts as dead, in ms: what it was for is done again on
   * another; 15 s unless said otherwise.
   */
  readonly silenceMs?: number | undefined;
  /** Is told in a line when the server has been away for 10 s, and when it is back; standard error unless given. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Where a server listens unless told otherwise. */
export const defaultServerUrl = "http://localhost:9990";

/**
 * Connects to a server and checks that it takes the token.
 *
 * @param url - `http(s)://host:port`, with the path of a proxy in front if it has one, or `host:port`; else `MANYHANDS_SERVER`, else
 * the server on this machine
 * @throws PlatformError UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, BAD_ARGUMENT (the address)
 */
export async function connect(url?: string, options: ConnectOptions = {}): Promise<Hands> {
  const address = parseServerAddress(url ?? (process.env["MANYHANDS_SERVER"]?.trim() || defaultServerUrl));
  const token = cleanToken(options.token) ?? cleanToken(process.env["MANYHANDS_TOKEN"]);
  const http = new HttpClient({
    url: address,
    findToken: async () => token ?? findLocalToken(address),
    patienceMs: options.patienceMs ?? Infinity,
    silenceMs: options.silenceMs,
    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),
  });
  const hands = new Hands(http, options.name, options.priority);
  try {
    await hands.api.status({ patienceMs: options.connectMs ?? 5000 });
    return hands;
  } catch (error) {
    hands.close();
    throw error;
  }
}

/**
 * A token as the header of a request takes it: files and variables often end it with a line break.
 * @throws PlatformError BAD_ARGUMENT that does not repeat it
 */
function cleanToken(text: string | undefined): string | undefined {
  const token = text?.trim();
  if (token === undefined || token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new PlatformError(
    "BAD_ARGUMENT",
    "The token holds a blank, a line break or a letter that no token has; expected one word such as mh_c_….",
  );
}
