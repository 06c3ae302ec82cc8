import { PlatformError } from "../shared/errors.ts";
import { parseServerAddresses } from "../shared/server-address.ts";
import { readSigningKey } from "../signing/keys.ts";
import { Hands } from "./hands.ts";
import { HttpClient } from "./http.ts";
import { findLocalToken } from "./local-token.ts";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Access token; absent: `MANYHANDS_TOKEN`, or the token that a server on this machine left for its user. */
  readonly token?: string | undefined;
  /** Default name of jobs; absent: the name of their kernel. */
  readonly name?: string | undefined;
  /** Default priority of jobs; 0 when absent. */
  readonly priority?: number | undefined;
  /**
   * File of the key that signs this program's kernels (`manyhands key create`); absent: `MANYHANDS_SIGN_KEY`, or unsigned kernels. Under
   * `thread` and `mpi` no kernel is signed.
   */
  readonly signingKey?: string | undefined;
  /** Time to reach the server at first, in ms; 5 s when absent. */
  readonly connectMs?: number | undefined;
  /**
   * Time that a request is repeated while the server is away or too busy, in ms. Unlimited when absent: a program survives a
   * server that is down for hours.
   */
  readonly patienceMs?: number | undefined;
  /**
   * Time without a byte, in ms, after which a connection with a request under way counts as dead; the request is then repeated
   * on another connection. 15 s when absent.
   */
  readonly silenceMs?: number | undefined;
  /** Called with a line when the server has been away for 10 s, and when it is back; absent: standard error. */
  readonly log?: ((line: string) => void) | undefined;
}

/** The default address of a server. */
export const defaultServerUrl = "http://localhost:9990";

/**
 * Connects to a server and checks that it accepts the token.
 *
 * @param url - `http(s)://host:port`, with the path of a reverse proxy if there is one, or `host:port`; several addresses, separated by
 * commas, of servers that share their data; absent: `MANYHANDS_SERVER`, or the server on this machine
 * @throws PlatformError UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, BAD_ARGUMENT (the address), BAD_OPTION and FILE_FAILED (the key)
 */
export async function connect(url?: string, options: ConnectOptions = {}): Promise<Hands> {
  const [address, ...others] = serverAddresses(url) as [string, ...string[]];
  const token = cleanToken(options.token) ?? cleanToken(process.env["MANYHANDS_TOKEN"]);
  const keyFile = options.signingKey ?? process.env["MANYHANDS_SIGN_KEY"]?.trim();
  const key = keyFile ? readSigningKey(keyFile) : undefined;
  const http = new HttpClient({
    url: address,
    otherUrls: others,
    findToken: async (asked) => token ?? findLocalToken([asked, address, ...others]),
    patienceMs: options.patienceMs ?? Infinity,
    silenceMs: options.silenceMs,
    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),
  });
  const hands = new Hands(http, options.name, options.priority, key);
  try {
    await hands.api.status({ patienceMs: options.connectMs ?? 5000 });
    return hands;
  } catch (error) {
    hands.close();
    throw error;
  }
}

/** The addresses in a text, else in `MANYHANDS_SERVER`, else of the server on this machine. @throws PlatformError BAD_ARGUMENT */
export function serverAddresses(text: string | undefined): string[] {
  return parseServerAddresses(text ?? (process.env["MANYHANDS_SERVER"]?.trim() || defaultServerUrl));
}

/**
 * The token for a request's header; in files and variables it often ends with a line break.
 * @throws PlatformError BAD_ARGUMENT that does not repeat the token
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
