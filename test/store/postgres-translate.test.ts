import { expect, it } from "vitest";
import { translate } from "../../server/store/postgres/translate.ts";

it.each([
  ["SELECT a FROM b WHERE c = ? AND d > ?", "SELECT a FROM b WHERE c = $1 AND d > $2"],
  [
    "SELECT 1 FROM t WHERE a = ?1 AND b = ?2 AND c = ?1",
    "SELECT 1 FROM t WHERE a = $1 AND b = $2 AND c = $1",
  ],
  [
    "UPDATE taskPacks SET lastSeq = excluded.lastSeq WHERE window = ?",
    'UPDATE "taskPacks" SET "lastSeq" = excluded."lastSeq" WHERE "window" = $1',
  ],
  [
    `SELECT 'what? camelCase, it''s window' AS "is?" FROM x`,
    `SELECT 'what? camelCase, it''s window' AS "is?" FROM x`,
  ],
  ["SELECT a -- it's jobGroup?\n, jobGroup FROM b", `SELECT a -- it's jobGroup?\n, "jobGroup" FROM b`],
  ["WHERE instr(lower(a), lower(?)) > 0", "WHERE strpos(lower(a), lower($1)) > 0"],
  [
    "WHERE id IN (SELECT value FROM json_each(?)) AND n < ?",
    "WHERE id IN (SELECT json_array_elements_text($1::json)) AND n < $2",
  ],
])("translates %s", (sql, expected) => {
  expect(translate(sql)).toBe(expected);
});
