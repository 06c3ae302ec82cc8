import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hands } from "../../customer/index.ts";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { LivePlatform, root } from "./live-platform.ts";

let platform: LivePlatform;
let proxy: FlakyProxy;
beforeAll(async () => {
  platform = await LivePlatform.start();
  proxy = await FlakyProxy.start(platform.url);
});
afterAll(async () => {
  await proxy.close();
  await platform.close();
});

/** Doubles 0 … count - 1, each input given when the output of the one before is known. */
async function oneByOne(
  hands: Hands,
  count: number,
  each: (index: number) => void = () => undefined,
): Promise<number[]> {
  let give = Promise.withResolvers<void>();
  async function* inputs(): AsyncGenerator<number> {
    for (let index = 0; index < count; index++) {
      yield index;
      await give.promise;
      give = Promise.withResolvers();
    }
  }
  const job = hands.map((x: number) => 2 * x, inputs());
  const outputs: number[] = [];
  for await (const outcome of job) {
    if (outcome.error) throw outcome.error;
    outputs.push(outcome.output);
    each(outcome.index);
    give.resolve();
  }
  await job.submitted;
  return outputs;
}

const doubled = (count: number): number[] => Array.from({ length: count }, (_, index) => 2 * index);
const posts = (requests: readonly string[]): number =>
  requests.filter((line) => /^POST .*\/tasks/.test(line)).length;
const lines = (requests: readonly string[]): number =>
  requests.filter((line) => /^GET .*\/tasks/.test(line)).length;

describe("[LINE-1] inputs that come one by one", () => {
  it("go over one WebSocket after the first few", async () => {
    const hands = await platform.connect({ url: proxy.url });
    proxy.requests.length = 0;
    expect(await oneByOne(hands, 60)).toEqual(doubled(60));
    expect(lines(proxy.requests)).toBe(1);
    expect(posts(proxy.requests)).toBeLessThan(20);
  });

  it("are all there, once, when the line is cut again and again", async () => {
    const hands = await platform.connect({ url: proxy.url, log: () => undefined });
    proxy.requests.length = 0;
    expect(
      await oneByOne(hands, 60, (index) => {
        if (index % 20 === 10) proxy.cutAll();
      }),
    ).toEqual(doubled(60));
    expect(lines(proxy.requests)).toBeGreaterThan(0);
  });

  it("are posted where a proxy lets no WebSocket through", async () => {
    const plain = await startPlainProxy(platform.url);
    try {
      const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
      const hands = await platform.connect({ url });
      expect(await oneByOne(hands, 20)).toEqual(doubled(20));
      hands.close();
    } finally {
      plain.close();
      plain.closeAllConnections();
    }
  });

  it("are refused at once when the connection was closed", async () => {
    const hands = await platform.connect({ url: proxy.url });
    const before = posts(proxy.requests);
    const outputs = oneByOne(hands, 60, (index) => {
      if (index === 30) hands.close();
    });
    await expect(outputs).rejects.toMatchObject({ code: "WRONG_STATE" });
    expect(posts(proxy.requests) - before).toBeLessThan(20);
  });

  it("do not keep a program running that has left its job", async () => {
    const program = spawn(process.execPath, ["test/customer/leaving-customer.ts"], {
      cwd: root,
      env: platform.environment,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [said] = (await once(program.stdout, "data")) as [Buffer];
    const [code] = (await once(program, "exit")) as [number | null];
    expect({ said: said.toString().trim(), code }).toEqual({ said: "left", code: 0 });
  });
});

/** An HTTP proxy that knows nothing of upgrades. */
async function startPlainProxy(target: string): Promise<Server> {
  const server = createServer((req, res) => {
    const { connection: _, upgrade: __, ...headers } = req.headers;
    const passed = request(
      new URL(req.url ?? "/", target),
      { method: req.method!, headers, agent: false },
      (answer) => {
        res.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(res);
      },
    );
    passed.on("error", () => res.destroy());
    req.pipe(passed);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
