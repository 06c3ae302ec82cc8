import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { Api } from "../../customer/api.ts";
import { HttpClient } from "../../customer/http.ts";
import type { Hands } from "../../customer/index.ts";
import { SubmitSocket } from "../../customer/submit-socket.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import { TaskPacker } from "../../shared/wire/task-pack.ts";
import { root, until } from "../support/processes.ts";
import { useProxiedPlatform } from "./proxied-platform.ts";

const parts = useProxiedPlatform();

/** Doubles 0 … count - 1; each input is given after the output before. */
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
const sockets = (requests: readonly string[]): number =>
  requests.filter((line) => /^GET .*\/tasks/.test(line)).length;

describe("[LINE-1] inputs that come one by one", () => {
  it("go over one WebSocket after the first few", async () => {
    const hands = await parts.platform.connect({ url: parts.proxy.url });
    parts.proxy.requests.length = 0;
    expect(await oneByOne(hands, 100)).toEqual(doubled(100));
    expect(sockets(parts.proxy.requests)).toBe(1);
    expect(posts(parts.proxy.requests)).toBeLessThan(50);
  });

  it("are all there, once, when their connections are cut again and again", async () => {
    const hands = await parts.platform.connect({ url: parts.proxy.url, log: () => undefined });
    parts.proxy.requests.length = 0;
    let cuts = 0;
    const outputs = await oneByOne(hands, 80, (index) => {
      // The first cut breaks the submit socket with a pack under way.
      if (sockets(parts.proxy.requests) === 0 || index % 10 > 0) return;
      cuts++;
      parts.proxy.cutAll();
    });
    expect(outputs).toEqual(doubled(80));
    expect(cuts).toBeGreaterThan(3);
  });

  it("are posted where a proxy lets no WebSocket through", async () => {
    const plain = await startPlainProxy(parts.platform.url);
    try {
      const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
      const hands = await parts.platform.connect({ url });
      expect(await oneByOne(hands, 20)).toEqual(doubled(20));
      hands.close();
    } finally {
      plain.close();
      plain.closeAllConnections();
    }
  });

  it("are refused at once when the connection was closed", async () => {
    const hands = await parts.platform.connect({ url: parts.proxy.url });
    const before = posts(parts.proxy.requests);
    const outputs = oneByOne(hands, 60, (index) => {
      if (index === 30) hands.close();
    });
    await expect(outputs).rejects.toMatchObject({ code: "WRONG_STATE" });
    // At most one request for each input before.
    expect(posts(parts.proxy.requests) - before).toBeLessThanOrEqual(31);
  });

  it.each(["6", "30"])("do not keep a program running that has left its job after %s", async (results) => {
    const program = spawn(process.execPath, ["test/customer/leaving-customer.ts", results], {
      cwd: root,
      // The host name has two addresses, as by default.
      env: {
        ...parts.platform.environment,
        MANYHANDS_SERVER: parts.platform.url.replace("127.0.0.1", "localhost"),
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(program, "exit") as Promise<[number | null]>;
    const [said] = (await once(program.stdout, "data")) as [Buffer];
    const leftAt = performance.now();
    const [code] = await exited;
    expect({ said: said.toString().trim(), code }).toEqual({ said: "left", code: 0 });
    // A submit socket ends by itself after 15 s.
    expect(performance.now() - leftAt).toBeLessThan(14_000);
  });
});

describe("[LINE-1] a submit socket", () => {
  const times = { silenceMs: 300, againMs: 200 };

  async function openSocket() {
    const { server } = parts.platform;
    const findToken = async (): Promise<string> => server.token;
    const http = new HttpClient({
      url: `${parts.proxy.url}/`,
      findToken,
      patienceMs: 5000,
      log: () => undefined,
    });
    const api = new Api(http);
    const { sha256 } = await api.putKernel("export default (x) => x");
    const { id } = await api.createJob({ kernel: sha256, key: randomUUID() });
    const socket = new SubmitSocket(http, id, times);
    onTestFinished(() => socket.close());
    let next = 0;
    /** Sends a task; false when the task may or may not have arrived. */
    const send = async (): Promise<boolean> => {
      const pack = new TaskPacker(next);
      pack.add(encodeValue(next), []);
      const isStored = await socket.submit(pack.encode());
      if (isStored) next++;
      return isStored;
    };
    const opened = (): Promise<unknown> => until(send);
    const total = async (): Promise<number> => (await api.job(id)).counts.total;
    return { http, send, opened, total, sent: () => next };
  }

  it("that was cut opens again, and answered tasks are there", async () => {
    const { send, opened, total, sent } = await openSocket();
    for (let round = 0; round < 3; round++) {
      await opened();
      expect(await send()).toBe(true);
      const under = send();
      parts.proxy.cutAll();
      await under;
      expect(await send()).toBe(false);
    }
    await opened();
    expect(await total()).toBe(sent());
  });

  it("that is not answered counts as not known, and waits longer each time", async () => {
    const { send, opened, total, sent } = await openSocket();
    await opened();
    parts.proxy.freeze();
    try {
      expect(await send()).toBe(false);
      parts.proxy.requests.length = 0;
      // The socket is not tried again at once, and an attempt would not succeed.
      expect([await send(), await send()]).toEqual([false, false]);
      expect(sockets(parts.proxy.requests)).toBe(0);
    } finally {
      parts.proxy.thaw();
    }
    await opened();
    // The unanswered pack may have arrived: the next pack was the same.
    expect(await total()).toBe(sent());
  });

  it("ends with its packs under way when its connection is closed", async () => {
    const { http, send, opened } = await openSocket();
    await opened();
    parts.proxy.freeze();
    try {
      const startedAt = performance.now();
      const pending = send();
      http.close();
      expect(await pending).toBe(false);
      expect(performance.now() - startedAt).toBeLessThan(times.silenceMs);
      expect(await send()).toBe(false);
    } finally {
      parts.proxy.thaw();
    }
  });
});

/** An HTTP proxy without upgrades. */
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
