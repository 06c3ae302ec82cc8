import type { PlatformError } from "../../shared/errors.ts";
import type { JobId, Sha256 } from "../../shared/ids.ts";
import type { ChangeKind, Store } from "./store.ts";

/** A change by another server. */
export interface News {
  readonly jobs: readonly { readonly id: JobId; readonly kinds: readonly ChangeKind[] }[];
  readonly kinds: readonly ("tokens" | "bans" | "quotas")[];
  /** Jobs that have not ended, as of a poll: cached rows of other jobs are old. */
  readonly active?: ReadonlySet<JobId>;
}

/** A server of the database. */
export interface ServerRow {
  readonly epoch: number;
  readonly name: string;
  readonly urls: readonly string[];
  /** Time of its registration, in ms since the epoch. */
  readonly since: number;
  readonly live: boolean;
  /** Time since it renewed its row. */
  readonly silentMs: number;
  /** The server's published figures, in JSON; empty before the first time. */
  readonly about: string;
}

/** A sign-in of a browser. */
export interface SignInRow {
  readonly id: string;
  /** Hash of the token that the sign-in stands for. */
  readonly token: Sha256;
  readonly expiresAt: number;
}

/** A store that several servers share. */
export interface SharedStore extends Store {
  /** Number of this life of the server; another one after {@link onFenced}. */
  readonly epoch: number;
  /**
   * Whether this server does the work that one of the servers has to do: it is the eldest living one, as of its last look. A server that is
   * wrong about this is fenced, so that nothing that it writes counts.
   */
  readonly leads: boolean;
  /** Calls back with changes of other servers, mostly within milliseconds of their commit, and with claims that servers left when they died. */
  onNews(listener: (news: News) => void): void;
  /**
   * Calls back when this server was silent for so long that the others took it for dead: all its claims are gone, and it goes on as a new
   * one.
   */
  onFenced(listener: () => void): void;
  /** Resolves when a newer version has migrated the database: nothing that this server writes counts any more. */
  readonly outdated: Promise<PlatformError>;
  /** The servers, dead ones of the last minute included. */
  servers(): Promise<ServerRow[]>;
  /** Tells the others how clients reach this server. */
  introduce(name: string, urls: readonly string[]): Promise<void>;
  /** Publishes figures of this server in its row. */
  publish(about: string): Promise<void>;
  /** Calls back with the epochs of the living servers, once they are known and whenever they change. */
  onServers(listener: (live: ReadonlySet<number>) => void): void;
  /** Sends a message of at most {@link toldBytes} in JSON to the other servers; it may be lost with the connection to the database. */
  tell(message: unknown): Promise<void>;
  /** Calls back with the messages of the other servers. */
  onTold(listener: (message: unknown, epoch: number) => void): void;
  /** 32 random bytes under a name, the same for all servers and for ever. */
  secret(name: string): Promise<Uint8Array>;
  openSignIn(signIn: SignInRow): Promise<void>;
  findSignIn(id: string): Promise<SignInRow | undefined>;
  closeSignIn(id: string): Promise<void>;
}

/** Most bytes of a message between servers, which travels as a notification of PostgreSQL. */
export const toldBytes = 7_800;
