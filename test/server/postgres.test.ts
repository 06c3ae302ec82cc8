import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";
import { run, startClientProcess, startServerProcess, temporaryDirectory } from "../support/processes.ts";

describe.runIf(hasPostgres)(`a server on PostgreSQL${whyNoPostgres}`, () => {
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await Postgres.start();
  });
  afterAll(() => postgres.stop());

  test("[PG-1] [DUR-1] works on, and keeps its jobs when it is killed and PostgreSQL crashes", async () => {
    const data = await temporaryDirectory();
    const store = ["--store", await postgres.newSchema()];
    const first = await startServerProcess(data, store);
    await startClientProcess(first);
    const inputs = Array.from({ length: 50 }, (_, k) => k);
    const outputs = inputs.map((x) => x * x);
    const hands = await connect(first.url, { token: first.token });
    expect(await hands.map((x: number) => x * x, inputs, { key: "squares" })).toEqual(outputs);
    await postgres.down("SIGQUIT");
    await postgres.up();
    expect(await hands.map((x: number) => x + 1, inputs)).toEqual(inputs.map((x) => x + 1));
    hands.close();
    await first.kill();
    const second = await startServerProcess(data, store);
    const again = await connect(second.url, { token: second.token });
    // Without a client: the results are those of the job that the key names.
    expect(await again.map((x: number) => x * x, inputs, { key: "squares" })).toEqual(outputs);
    again.close();
  });

  test("[PG-2] an address that is wrong is refused in a sentence without the password", async () => {
    for (const [store, said] of [
      ["postgres://ada:hush@localhost:1/lab", "postgres://ada@localhost:1/lab cannot be used"],
      ["mysql://ada:hush@localhost/lab", "Expected postgres://"],
    ] as const) {
      const server = run(["server", "--port", "0", "--data", await temporaryDirectory(), "--store", store]);
      expect(await server.ended).toBe(2);
      expect(server.log()).toContain(said);
      expect(server.log() + server.output()).not.toContain("hush");
    }
  });
});
