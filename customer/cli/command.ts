import { Command, InvalidArgumentError } from "commander";
import { connect, defaultServerUrl, serverAddresses, type ConnectOptions } from "../connect.ts";
import type { Hands } from "../hands.ts";
import { findLocalToken } from "../local-token.ts";

/** Options of every command that talks to a server. */
export interface ServerFlags {
  readonly server?: string;
  readonly token?: string;
  readonly json?: boolean;
  /** Of commands that submit jobs. */
  readonly signKey?: string;
}

/**
 * Gives a command the option `--parallel`, with a function that connects as the option says. The option is passed in, because
 * the SDK knows only servers, no other surroundings of a program.
 */
export type ParallelOption = (command: Command) => Connector;
export type Connector = (options: ConnectOptions) => Promise<Hands>;

/** A command that talks to a server, with the common options. */
export function serverCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .option(
      "--server <url>",
      `address of the server, or of several by commas (MANYHANDS_SERVER; else ${defaultServerUrl})`,
    )
    .option(
      "--token <token>",
      "access token (MANYHANDS_TOKEN; on the server's own machine it is found by itself)",
    )
    .option("--json", "write JSON for programs instead of text for people");
}

/** Runs `action` with a connection, and closes the connection. `connectTo` is used when no server is named. */
export async function withHands<T>(
  flags: ServerFlags,
  action: (hands: Hands) => Promise<T>,
  connectTo?: Connector,
): Promise<T> {
  const { token, server, signKey: signingKey } = flags;
  await using hands = await (connectTo && server === undefined
    ? connectTo({ token, signingKey })
    : connect(server, { token, signingKey }));
  return await action(hands);
}

/** Environment variables with the server's address and token, so that a program's `connect()` finds the same server. */
export async function serverEnvironment(flags: ServerFlags): Promise<Record<string, string>> {
  const urls = serverAddresses(flags.server);
  const token = flags.token ?? (process.env["MANYHANDS_TOKEN"] || (await findLocalToken(urls)));
  const server = urls.map((url) => url.replace(/\/$/, "")).join();
  return { MANYHANDS_SERVER: server, ...(token && { MANYHANDS_TOKEN: token }) };
}

/** Option parser: a whole number in a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
  };
}

/** Option parser: a time such as `90`, `90s`, `5m`, `2h` or `1d`; seconds without a unit. @returns milliseconds */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? "s"];
  if (match?.[1] && unit) return Math.round(Number(match[1]) * unit);
  throw new InvalidArgumentError("expected a time such as 90s, 5m, 2h or 1d");
}
