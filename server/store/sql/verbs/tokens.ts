import { PlatformError } from "../../../../shared/errors.ts";
import type { Sha256 } from "../../../../shared/ids.ts";
import type { TokenChange, TokenRow } from "../../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Step } from "../database.ts";

type TokenColumns = {
  readonly [Key in keyof Required<TokenRow>]: undefined extends TokenRow[Key] ? number | null : TokenRow[Key];
};

/** A use is recorded at most this often, because `lastUsedAt` is for people. */
const useGrainMs = 60_000;

export function* createToken({ db }: Transaction, token: TokenRow): Step<void> {
  if (yield* db.get("SELECT 1 FROM tokens WHERE id = ? OR hash = ?", token.id, token.hash))
    throw new PlatformError("CONFLICT", `There is a token with id ${token.id} or with the same secret.`);
  db.write(
    "INSERT INTO tokens (id, hash, role, name, createdAt, expiresAt, lastUsedAt, maxClients) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    token.id,
    token.hash,
    token.role,
    token.name,
    token.createdAt,
    token.expiresAt ?? null,
    token.lastUsedAt ?? null,
    token.maxClients ?? null,
  );
}

export function* findToken({ db }: Transaction, hash: Sha256): Step<TokenRow | undefined> {
  const found = yield* db.get<TokenColumns>("SELECT * FROM tokens WHERE hash = ?", hash);
  return found && rowOf(found);
}

/** Whether this use of the token is worth a write. */
export function isNewUse({ clock }: Transaction, { lastUsedAt }: TokenRow): boolean {
  return lastUsedAt === undefined || clock() - lastUsedAt >= useGrainMs;
}

export function* recordTokenUse({ db, clock }: Transaction, id: string): Step<void> {
  yield* db.run("UPDATE tokens SET lastUsedAt = ? WHERE id = ?", clock(), id);
}

export function* listTokens({ db }: Transaction): Step<TokenRow[]> {
  return (yield* db.all<TokenColumns>("SELECT * FROM tokens ORDER BY createdAt, id")).map(rowOf);
}

export function* changeToken(
  { db }: Transaction,
  id: string,
  { maxClients }: TokenChange,
): Step<TokenRow | undefined> {
  yield* db.run("UPDATE tokens SET maxClients = ? WHERE id = ?", maxClients ?? null, id);
  const found = yield* db.get<TokenColumns>("SELECT * FROM tokens WHERE id = ?", id);
  return found && rowOf(found);
}

export function* revokeToken({ db }: Transaction, id: string): Step<boolean> {
  return (yield* db.run("DELETE FROM tokens WHERE id = ?", id)) > 0;
}

function rowOf(columns: TokenColumns): TokenRow {
  return {
    ...columns,
    expiresAt: columns.expiresAt ?? undefined,
    lastUsedAt: columns.lastUsedAt ?? undefined,
    maxClients: columns.maxClients ?? undefined,
  };
}
