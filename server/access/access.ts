import { LRUCache } from "lru-cache";
import type { Sha256 } from "../../shared/ids.ts";
import type { Role, TokenInfo } from "../../shared/wire/rest/tokens.ts";
import { isShared } from "../store/open.ts";
import type { Store, TokenChange, TokenRow } from "../store/store.ts";
import type { Principal } from "./principal.ts";
import { hashSecret, isSecret, makeSecret, randomText } from "./secret.ts";
import { SharedSignIns } from "./shared-sign-ins.ts";
import { SignIns } from "./sign-ins.ts";

/** Tokens used lately whose principals are remembered, so that most requests need no look-up in the store. */
const rememberedTokens = 10_000;
/** A revocation by another server on the same store is noticed within this time. */
const rememberMs = 5_000;

interface NewToken {
  readonly role: Role;
  readonly name: string;
  readonly expiresInSeconds?: number | undefined;
  readonly maxClients?: number | undefined;
}

/** Tokens, and sign-ins of browsers: which principal a request speaks for. Its rights are in rules.ts. */
export interface Access {
  /** The principal of a secret; undefined when the secret is missing, wrong, expired or revoked. */
  authenticate(secret: string | undefined): Promise<Principal | undefined>;
  /** Makes a token. Only this answer ever holds its secret. */
  createToken(token: NewToken): Promise<{ secret: string; info: TokenInfo }>;
  /** Changes what a token allows; undefined when the token is unknown. */
  change(id: string, change: TokenChange): Promise<TokenInfo | undefined>;
  /** False when the token is unknown. */
  revoke(id: string): Promise<boolean>;
  list(): Promise<TokenInfo[]>;
  /**
   * Grows whenever a principal may have lost access; at the same generation an earlier look-up still holds for a
   * while.
   */
  readonly generation: number;
  /** Calls the listener when a token was revoked, so that its open connections can be closed. */
  onRevoked(listener: (tokenId: string) => void): void;

  /** Signs a browser in; undefined when the secret belongs to no token. */
  openSignIn(secret: string): Promise<{ id: string; principal: Principal; expiresAt: number } | undefined>;
  /** The principal of a sign-in; undefined once its token is revoked or has expired. */
  authenticateSignIn(id: string | undefined): Promise<Principal | undefined>;
  closeSignIn(id: string): Promise<void>;
  /** Looks again which tokens there are, because another server revoked or made some. */
  refresh(): Promise<void>;
}

export interface AccessOptions {
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  readonly signInLifetimeMs?: number;
}

/** Access over the tokens of a store. */
export function createAccess(store: Store, options: AccessOptions = {}): Access {
  const { clock = Date.now, signInLifetimeMs = 12 * 3600 * 1000 } = options;
  const principals = new LRUCache<Sha256, Principal>({
    max: rememberedTokens,
    ttl: rememberMs,
    ttlResolution: 0,
    perf: { now: clock },
  });
  let generation = 0;
  const signIns = isShared(store)
    ? new SharedSignIns(store, clock, signInLifetimeMs)
    : new SignIns(clock, signInLifetimeMs);
  /** Tokens that this server asked for, as far as they are not revoked. */
  const seen = new LRUCache<string, true>({ max: rememberedTokens });
  const listeners: ((tokenId: string) => void)[] = [];

  async function byHash(hash: Sha256): Promise<Principal | undefined> {
    const known = principals.get(hash);
    if (known) return isExpired(known, clock()) ? undefined : known;
    const before = generation;
    const row = await store.findToken(hash);
    if (!row || isExpired(row, clock())) return undefined;
    const principal = {
      tokenId: row.id,
      role: row.role,
      name: row.name,
      expiresAt: row.expiresAt,
      maxClients: row.maxClients,
    };
    // A token that was revoked during the look-up must not enter the cache.
    if (generation === before) principals.set(hash, principal);
    seen.set(row.id, true);
    return principal;
  }

  async function authenticate(secret: string | undefined): Promise<Principal | undefined> {
    return secret !== undefined && isSecret(secret) ? byHash(hashSecret(secret)) : undefined;
  }

  /** Has the next request look the token up again. */
  function lookAgain(id: string): void {
    generation++;
    const hashes = [...principals.keys()].filter((hash) => principals.peek(hash)?.tokenId === id);
    for (const hash of hashes) principals.delete(hash);
  }

  function forget(id: string): void {
    lookAgain(id);
    seen.delete(id);
  }

  return {
    authenticate,
    async createToken({ role, name, expiresInSeconds, maxClients }) {
      const secret = makeSecret(role);
      const createdAt = clock();
      const row: TokenRow = {
        id: `t_${randomText(16)}`,
        hash: hashSecret(secret),
        role,
        name,
        createdAt,
        expiresAt: expiresInSeconds === undefined ? undefined : createdAt + expiresInSeconds * 1000,
        lastUsedAt: undefined,
        maxClients,
      };
      await store.createToken(row);
      return { secret, info: infoOf(row) };
    },
    async change(id, change) {
      const row = await store.changeToken(id, change);
      lookAgain(id);
      return row && infoOf(row);
    },
    async revoke(id) {
      const revoked = await store.revokeToken(id);
      forget(id);
      if (revoked) for (const listener of listeners) listener(id);
      return revoked;
    },
    async refresh() {
      const kept = new Set((await store.listTokens()).map(({ id }) => id));
      for (const id of [...seen.keys()].filter((each) => !kept.has(each))) {
        forget(id);
        for (const listener of listeners) listener(id);
      }
      // The bound on clients of a token may have changed.
      principals.clear();
    },
    list: async () => (await store.listTokens()).map(infoOf),
    get generation() {
      return generation;
    },
    onRevoked: (listener) => listeners.push(listener),
    async openSignIn(secret) {
      const principal = await authenticate(secret);
      return principal && { ...(await signIns.open(hashSecret(secret))), principal };
    },
    async authenticateSignIn(id) {
      const hash = id === undefined ? undefined : await signIns.find(id);
      return hash && byHash(hash);
    },
    async closeSignIn(id) {
      await signIns.close(id);
      generation++;
    },
  };
}

function isExpired({ expiresAt }: Pick<TokenRow, "expiresAt">, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

function infoOf({ id, role, name, createdAt, expiresAt, lastUsedAt, maxClients }: TokenRow): TokenInfo {
  return {
    id,
    role,
    name,
    createdAt,
    expiresAt: expiresAt ?? null,
    lastUsedAt: lastUsedAt ?? null,
    ...(maxClients !== undefined && { maxClients }),
  };
}
