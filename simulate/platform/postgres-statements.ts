/** A statement of the PostgreSQL store, as its model runs it. */
export type Statement =
  | { readonly kind: "begin" | "commit" | "rollback" | "lazily" | "idleTimeout" | "xid" | "status" }
  | { readonly kind: "listen" | "notify" | "fence" }
  | { readonly kind: "advisory"; readonly lock: string; readonly mode: "share" | "own" }
  | { readonly kind: "constant"; readonly row: object }
  | { readonly kind: "script"; readonly sql: string }
  | { readonly kind: "lockJobs"; readonly read: SqlStatement }
  | SqlStatement;

interface SqlStatement {
  readonly kind: "read" | "write";
  readonly sql: string;
  /** Whether the statement has rows as its answer. */
  readonly returns: boolean;
  /** Names of columns that PostgreSQL answers as booleans. */
  readonly booleans: readonly string[];
  /** Whether a full disk refuses the statement. */
  readonly grows: boolean;
}

type Special = readonly [RegExp, (match: RegExpExecArray) => Statement];

/** Statements that are no SQL of tables. */
const specials: readonly Special[] = [
  [/^BEGIN/, () => ({ kind: "begin" })],
  [/^COMMIT/, () => ({ kind: "commit" })],
  [/^ROLLBACK/, () => ({ kind: "rollback" })],
  [/^SET LOCAL synchronous_commit TO off/, () => ({ kind: "lazily" })],
  [/^SELECT set_config\(/, () => ({ kind: "idleTimeout" })],
  [/^SELECT pg_current_xact_id\(/, () => ({ kind: "xid" })],
  [/^SELECT pg_xact_status\(/, () => ({ kind: "status" })],
  [/^LISTEN /, () => ({ kind: "listen" })],
  [/^SELECT pg_notify\(/, () => ({ kind: "notify" })],
  [/^SELECT fence\(/, () => ({ kind: "fence" })],
  [/^SELECT quote_ident\(/, () => ({ kind: "constant", row: { channel: "manyhands" } })],
  [
    /^SELECT current_setting\(/,
    () => ({ kind: "constant", row: { version: 150_000, encoding: "UTF8", schema: "public" } }),
  ],
  [
    /^SELECT pg_advisory_xact_lock(_shared)?\((\d+)/,
    ([, shared, lock]) => ({ kind: "advisory", lock: lock!, mode: shared ? "share" : "own" }),
  ],
];

/** Words of PostgreSQL, and their counterparts in the model. Times are in milliseconds. */
const words: readonly (readonly [RegExp, string])[] = [
  [/\$\$[\s\S]*?\$\$/g, ""],
  [/CREATE FUNCTION[^;]*;/g, ""],
  [/CREATE SEQUENCE[^;]*;/g, ""],
  [/ALTER TABLE "?\w+"? ALTER [^;]*;/g, ""],
  [/ WITH \(fillfactor = \d+\)/g, ""],
  [/, rowid BIGSERIAL/g, ""],
  [/BIGSERIAL PRIMARY KEY/g, "INTEGER PRIMARY KEY AUTOINCREMENT"],
  [/BIGINT PRIMARY KEY DEFAULT nextval\('epochs'\)/g, "INTEGER PRIMARY KEY AUTOINCREMENT"],
  [/DEFAULT clock_timestamp\(\)/g, "DEFAULT (clock_timestamp())"],
  [/ DEFAULT false/g, " DEFAULT 0"],
  [/json_array_elements_text\(([^)]*)::json\)/g, "value FROM json_each($1)"],
  [
    /= ANY \(string_to_array\((\$\d+), ' '\)(?:::bigint\[\])?\)/g,
    "IN (SELECT value FROM json_each(words($1)))",
  ],
  [/\(extract\(epoch FROM ([\w() -]+)\) \* 1000\)/g, "($1)"],
  [/::\w+(?:\[\])?/g, ""],
  [/interval '1 millisecond'/g, "1"],
  [/interval '1 second'/g, "1000"],
  [/\bstrpos\(/g, "instr("],
  [/ COLLATE "C"/g, ""],
  [/ FOR UPDATE$/, ""],
  [/\$(\d+)/g, "?$1"],
];

const known = new Map<string, Statement>();

/** The statement of a text of PostgreSQL. */
export function prepare(text: string): Statement {
  let statement = known.get(text);
  if (!statement) known.set(text, (statement = make(text.trim())));
  return statement;
}

function make(text: string): Statement {
  for (const [pattern, to] of specials) {
    const match = pattern.exec(text);
    if (match) return to(match);
  }
  const sql = words.reduce((all, [from, to]) => all.replace(from, to), text);
  if (/^(?:CREATE|ALTER|--)/.test(sql)) return { kind: "script", sql };
  const isRead = sql.startsWith("SELECT");
  const returns = isRead || sql.includes(" RETURNING ") || sql.includes("\n       RETURNING ");
  const booleans = /\bAS live\b/.test(sql) ? ["live"] : [];
  const grows = sql.startsWith("INSERT");
  const statement: SqlStatement = { kind: isRead ? "read" : "write", sql, returns, booleans, grows };
  return isRead && /FROM jobs WHERE .* FOR UPDATE$/.test(text)
    ? { kind: "lockJobs", read: statement }
    : statement;
}
