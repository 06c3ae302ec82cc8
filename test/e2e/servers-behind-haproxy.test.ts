import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../bench/harness/services/ports.ts";
import { connect } from "../../customer/index.ts";
import { seededRandom } from "../../shared/random.ts";
import { Haproxy, hasHaproxy, whyNoHaproxy } from "../support/haproxy.ts";
import { request } from "../support/jobs.ts";
import { hasPostgres, Postgres, whyNoPostgres } from "../support/postgres.ts";
import {
  startClientProcess,
  startServerProcess,
  temporaryDirectory,
  until,
  type RunningServerProcess,
} from "../support/processes.ts";

/** Longer than a server may be silent. */
const pastTimeToLiveMs = 6_500;
const faults = 7;
/** Tasks that may be open, and the time between two new ones. */
const mostAhead = 200;
const pauseMs = 20;
/** Work has to go on within 10 s after a fault; a busy machine gets three times that. */
const goesOnMs = 30_000;

/** Inputs without end until `stop` is called, so that the job lasts as long as the faults; a few ahead of the results. */
class Inputs<Input> {
  given = 0;
  readonly results: { seq: number; index: number; output: unknown }[] = [];
  readonly #make: (index: number) => Input;
  #isOver = false;

  constructor(make: (index: number) => Input) {
    this.#make = make;
  }

  stop(): void {
    this.#isOver = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Input> {
    while (!this.#isOver) {
      if (this.given < this.results.length + mostAhead) yield this.#make(this.given++);
      await wait(pauseMs);
    }
  }
}

describe.runIf(hasPostgres && hasHaproxy)(
  `three servers behind haproxy${whyNoPostgres}${whyNoHaproxy}`,
  () => {
    let postgres: Postgres;
    beforeAll(async () => {
      postgres = await Postgres.start();
    });
    afterAll(() => postgres.stop());

    test.each([1])(
      "[SERVERS-3] [SERVERS-5] [SERVERS-7] [SERVERS-8] kills and pauses of random servers lose and double nothing (seed %i)",
      async (seed) => {
        const random = seededRandom(`haproxy ${seed}`);
        const pick = (count: number): number => Math.floor(random() * count);
        const store = await postgres.newSchema();
        const blobs = join(await temporaryDirectory(), "blobs");
        const haproxy = await Haproxy.at();
        const places = await Promise.all(
          [0, 1, 2].map(async () => ({ data: await temporaryDirectory(), port: await freePort() })),
        );
        const start = (k: number): Promise<RunningServerProcess> =>
          startServerProcess(places[k]!.data, [
            "--port",
            `${places[k]!.port}`,
            "--store",
            store,
            "--blobs",
            blobs,
            "--public-url",
            haproxy.url,
            "--trust-proxy",
          ]);
        const servers = await Promise.all([start(0), start(1), start(2)]);
        await haproxy.start(places.map(({ port }) => port));
        const { token } = await request<{ token: string }>(
          { url: haproxy.url, token: servers[0].token },
          "POST",
          "/api/tokens",
          { role: "admin", name: "ada" },
        );
        const lab = { url: haproxy.url, token };
        for (let k = 0; k < 3; k++) await startClientProcess(lab);

        const customer = async (): Promise<Awaited<ReturnType<typeof connect>>> => {
          const hands = await connect(haproxy.url, { token, log: () => undefined });
          onTestFinished(() => hands.close());
          return hands;
        };
        const [ada, bob] = [await customer(), await customer()];
        const data = await ada.put(new Uint8Array(300_000).fill(3));
        const inputs = [new Inputs((x) => x), new Inputs((x) => ({ data, x: x % 200 }))] as const;
        const seen = inputs.map(({ results }) => results);
        const squares = ada.map((x: number) => x * x, inputs[0]);
        const fills = bob.map(async ({ data: given, x }: { data: typeof data; x: number }, ctx) => {
          const found = await ctx.data(given);
          return ctx.put(new Uint8Array(70_000).fill(found[0]! + x));
        }, inputs[1]);
        const read = async (
          k: number,
          job: AsyncIterable<{ seq: number; index: number; output?: unknown }>,
        ): Promise<void> => {
          for await (const { seq, index, output } of job) seen[k]!.push({ seq, index, output });
        };
        const reading = Promise.all([read(0, squares), read(1, fills)]);
        // A failure of a customer ends the test at once, and not after its faults.
        const failed = reading.then(() => new Promise<never>(() => {}));
        const goesOn = (withinMs = goesOnMs): Promise<unknown> => {
          const before = seen.map((outcomes) => outcomes.length);
          const moved = until(() => seen.every((outcomes, k) => outcomes.length > before[k]! + 3), withinMs);
          return Promise.race([moved, failed]);
        };
        // Programs that start take long on a busy machine.
        await goesOn(60_000);
        for (let fault = 0; fault < faults; fault++) {
          const k = pick(servers.length);
          await wait(random() * 1500);
          if (random() < 0.6) {
            await servers[k]!.kill();
            await goesOn();
            servers[k] = await start(k);
          } else {
            servers[k]!.process.kill("SIGSTOP");
            await Promise.all([goesOn(), wait(pastTimeToLiveMs)]);
            servers[k]!.process.kill("SIGCONT");
          }
          await goesOn();
        }
        for (const given of inputs) given.stop();
        await reading;

        for (const [k, outcomes] of seen.entries()) {
          const count = inputs[k]!.given;
          const upTo = Array.from({ length: count }, (_, index) => index);
          expect(outcomes.map(({ seq }) => seq)).toEqual(upTo.map((index) => index + 1));
          expect(outcomes.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(upTo);
        }
        expect(seen[0]!.filter(({ index, output }) => output !== index * index)).toEqual([]);
        for (const { index, output } of seen[1]!.filter((_, at) => at % 50 === 0)) {
          const bytes = await bob.get(output as Parameters<typeof bob.get>[0]);
          expect(Buffer.from(bytes).equals(Buffer.alloc(70_000, 3 + (index % 200)))).toBe(true);
        }
      },
      400_000,
    );
  },
);
