import type { JobId } from "../../shared/ids.ts";
import type { ChangeKind, Store } from "./store.ts";

/** What another server changed. */
export interface News {
  readonly jobs: readonly { readonly id: JobId; readonly kinds: readonly ChangeKind[] }[];
  readonly kinds: readonly ("tokens" | "bans")[];
}

/** A server of the database. */
export interface ServerRow {
  readonly epoch: number;
  readonly name: string;
  readonly urls: readonly string[];
  /** When it registered, in ms since the epoch. */
  readonly since: number;
  readonly live: boolean;
  /** Time since it renewed its row. */
  readonly silentMs: number;
}

/** A store that several servers share. */
export interface SharedStore extends Store {
  /** Calls back with what other servers changed, mostly within milliseconds of their commit, and with claims that servers left when they died. */
  onNews(listener: (news: News) => void): void;
  /**
   * Calls back when this server was silent for so long that the others took it for dead: all its claims are gone, and it goes on as a new
   * one.
   */
  onFenced(listener: () => void): void;
  /** The servers, dead ones of the last minute included. */
  servers(): Promise<ServerRow[]>;
  /** Tells the others how clients reach this server. */
  introduce(name: string, urls: readonly string[]): Promise<void>;
}
