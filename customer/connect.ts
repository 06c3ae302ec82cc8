import { PlatformError } from "../shared/errors.ts";
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
  /** Is told in a line when the server has been away for 10 s, and when it is back; standard error unless given. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Where a server listens unless told otherwise. */
export const defaultServerUrl = "http://localhost:9990";

/**
 * Connects to a server and checks that it takes the token.
 *
 * @param url - `http(s)://host:port`, or `host:port`; else `MANYHANDS_SERVER`, else the server on this machine
 * @throws PlatformError UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, BAD_REQUEST (the address)
 */
export async function connect(url?: string, options: ConnectOptions = {}): Promise<Hands> {
  const address = parseServerUrl(url ?? process.env["MANYHANDS_SERVER"] ?? defaultServerUrl);
  const token = options.token ?? (process.env["MANYHANDS_TOKEN"] || undefined);
  const http = new HttpClient({
    url: address,
    findToken: async () => token ?? findLocalToken(address),
    patienceMs: options.patienceMs ?? Infinity,
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
 * The address of a server as requests use it, with a slash at the end.
 * @throws PlatformError BAD_REQUEST when it is none
 */
export function parseServerUrl(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new PlatformError(
      "BAD_REQUEST",
      `"${text}" is no server address; expected http://host:port, https://host:port or host:port.`,
    );
  url.search = "";
  url.hash = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url.href;
}
