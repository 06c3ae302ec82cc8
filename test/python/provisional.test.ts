import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { createJob } from "../support/rest.ts";
import { python, PythonProgram, whySkipped } from "./programs.ts";

interface News {
  readonly state: string;
  readonly index: number;
  readonly client: string;
  readonly output: unknown;
}

const output = (index: number): string => String(index).repeat(20_000);

/** A server, a proxy before it, and strangers that hold three tasks each of a job and have not answered. */
async function start() {
  const server = await startHttpServer({ auditors: 1 });
  const proxy = await FlakyProxy.start(server.url);
  onTestFinished(() => proxy.close());
  const stranger = { trusted: false, answering: false, want: 3 };
  const [honest, liar] = [server.client(undefined, stranger), server.client(undefined, stranger)];
  const job = await createJob(server, { inputs: [0, 1, 2, 3, 4, 5] });
  await expect.poll(() => [honest.held.length, liar.held.length]).toEqual([3, 3]);
  return { server, proxy, honest, liar, job };
}

function read(server: HttpServer, url: string, ...args: string[]): PythonProgram {
  const environment = { ...process.env, MANYHANDS_SERVER: url, MANYHANDS_TOKEN: server.tokens.customer };
  return new PythonProgram([join(import.meta.dirname, "provisional_reader.py"), ...args], environment);
}

function newsOf({ output: text }: PythonProgram): News[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as News);
}

describe.skipIf(python === undefined)(`provisional results in Python${whySkipped}`, () => {
  it("[VERIFY-2] [PY-3] come once each, whole, through connections that are cut", async () => {
    const { server, proxy, honest, liar, job } = await start();
    for (const client of [honest, liar]) client.deliver(output);
    await expect.poll(async () => (await server.platform.job(job.id)).counts.provisional).toBe(6);
    proxy.cutAfter = (connection) => 30_000 + connection * 10_000;
    const program = read(server, proxy.url, job.id, "present");
    await program.ends();
    expect(newsOf(program).map(({ state, index, output: given }) => [state, index, given])).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => ["provisional", index, output(index)]),
    );
    expect(proxy.cuts).toBeGreaterThan(0);
    const rest = read(server, server.url, job.id, "present", "3");
    await rest.ends();
    expect(newsOf(rest).map(({ index }) => index)).toEqual([4, 5]);
  });

  it.each(["while it is connected", "in a gap"])(
    "[VERIFY-12] [PY-3] a follower is told once what was accepted and what was withdrawn %s",
    async (when) => {
      const { server, proxy, honest, liar, job } = await start();
      const program = read(server, proxy.url, job.id, "follow");
      const ended = program.ends();
      honest.deliver(output);
      liar.deliver(() => "wrong");
      await expect.poll(() => newsOf(program).length).toBe(6);
      // The proxy cuts every connection until the job has ended.
      if (when === "in a gap") {
        proxy.cutAfter = () => 0;
        proxy.cutAll();
      }
      for (const client of [honest, liar]) client.leave();
      server.client((x) => output(x as number));
      await expect.poll(async () => (await server.platform.job(job.id)).state).toBe("finished");
      proxy.cutAfter = () => undefined;
      await ended;
      const news = newsOf(program);
      expect(news).toHaveLength(12);
      for (const { index, client, output: given } of news.slice(0, 6)) {
        expect(given).toBe(client === liar.id ? "wrong" : output(index));
        const notices = news.slice(6).filter((one) => one.index === index);
        expect(notices).toEqual([
          { state: client === liar.id ? "withdrawn" : "accepted", index, client, output: null },
        ]);
      }
    },
  );
});
