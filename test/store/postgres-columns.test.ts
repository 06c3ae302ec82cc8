import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Connection } from "../../server/store/postgres/connection.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";

describe.runIf(hasPostgres)(`columns of PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  let connection: Connection;
  beforeAll(async () => {
    postgres = await Postgres.start();
    connection = await Connection.open({ url: postgres.url(), settings: { jit: "off" } });
  }, 60_000);
  afterAll(async () => {
    await connection.close();
    await postgres.stop();
  });

  const select = `SELECT value, large, small, negative, named, none, yes
    FROM (VALUES (?::bytea, ?::bigint, ?::int, ?::smallint, ?::text, NULL::bytea, true)) AS one
      (value, large, small, negative, named, none, yes)`;
  // No byte sequence of these is UTF-8, and the longest comes in many pieces.
  it.each([0, 1, 255, 8192, 65_536, 1_000_003])(
    "are the same in text and binary form: %i bytes",
    async (size) => {
      const value = new Uint8Array(randomBytes(size)).map((byte, at) => (at % 3 === 0 ? 0xff : byte));
      const large = -(2 ** 53) + 1 + size;
      const row = {
        value,
        large,
        small: -(2 ** 31),
        negative: -1,
        named: "Zürich 😀",
        none: null,
        yes: true,
      };
      // The first answer of a statement is text, the others are binary.
      const statement = `${select} -- ${size}`;
      for (let time = 0; time < 3; time++)
        expect(await connection.query(statement, value, large, -(2 ** 31), -1, "Zürich 😀")).toEqual([row]);
    },
  );

  it("are right in both forms when several statements are under way", async () => {
    const value = new Uint8Array([0xff, 0, 0xfe]);
    const batch = Array.from({ length: 20 }, (_, at) =>
      at % 2 === 0
        ? { sql: "SELECT ?::bytea AS value, ?::bigint AS at", values: [value, at] }
        : { sql: "SELECT ?::text AS named", values: [`é ${at}`] },
    );
    const expected = batch.map((_, at) => [at % 2 === 0 ? { value, at } : { named: `é ${at}` }]);
    for (let time = 0; time < 2; time++)
      expect((await connection.run(batch)).map(({ rows }) => rows)).toEqual(expected);
  });

  it("stay text where a column has no binary form here", async () => {
    for (let time = 0; time < 2; time++)
      expect(await connection.query("SELECT '\\xff'::bytea AS value, 1.5::numeric AS some")).toEqual([
        { value: new Uint8Array([0xff]), some: 1.5 },
      ]);
  });
});
