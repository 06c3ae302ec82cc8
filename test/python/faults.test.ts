import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { seededRandom } from "../../shared/random.ts";
import { version } from "../../shared/version.ts";
import { useProxiedPlatform } from "../customer/proxied-platform.ts";
import { makeCertificate } from "../server/https.ts";
import { startPrefixProxy } from "../support/prefix-proxy.ts";
import { startTestServer } from "../support/server.ts";
import { python, PythonProgram, whySkipped } from "./programs.ts";

const parts = useProxiedPlatform();

function start(name: string, ...args: (string | number)[]): PythonProgram {
  return startAt(parts.platform.url, name, ...args);
}

function startAt(url: string, name: string, ...args: (string | number)[]): PythonProgram {
  const environment = { ...parts.platform.environment, MANYHANDS_SERVER: url };
  return new PythonProgram([join(import.meta.dirname, name), ...args.map(String)], environment);
}

const indexes = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** A proxy that passes one chunk of the first reply to such a request, and then cuts the connection. */
async function startCutting(target: string, path: RegExp): Promise<string> {
  let isCut = false;
  const proxy = createServer((req, res) => {
    const { method, headers } = req;
    const passed = request(new URL(req.url!, target), { method, headers }, (reply) => {
      res.writeHead(reply.statusCode!, reply.headers);
      if (isCut || !path.test(req.url!)) return void reply.pipe(res);
      isCut = true;
      reply.once("data", (chunk: Buffer) => res.write(chunk, () => res.socket!.end()));
    });
    res.on("close", () => passed.destroy());
    passed.on("error", () => res.destroy());
    req.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    expect(isCut).toBe(true);
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

/** Outcomes that the program printed, in the order in which they came. */
function outcomesOf(output: string): number[][] {
  const lines = output.trim().split("\n");
  return lines.map((line) => line.split(" ").map(Number));
}

describe.skipIf(python === undefined)(`Python customers${whySkipped}`, () => {
  it("[PY-3] a customer killed while it submits goes on with the same key, and gets every result once", async () => {
    const hands = await parts.platform.connect();
    const ofKey = async () => (await hands.jobs()).filter(({ key }) => key === "python-killed");
    const first = start("keyed_customer.py", "python-killed", 500, 200);
    await once(first.process.stdout!, "data");
    await expect.poll(async () => (await ofKey())[0]?.counts.done).toBe(200);
    first.process.kill("SIGKILL");
    await first.ended();
    expect((await ofKey())[0]?.state).toBe("open");

    const outputs: unknown = JSON.parse(await start("keyed_customer.py", "python-killed", 500, -1).ends());
    expect(outputs).toEqual(indexes(500).map((index) => index * index));
    expect(await ofKey()).toMatchObject([
      { state: "finished", lastSeq: 500, counts: { total: 500, done: 500 } },
    ]);
  });

  it("[PY-3] Python and the SDK are one customer: the key of one is the key of the other", async () => {
    const hands = await parts.platform.connect();
    const outputs = await start("keyed_customer.py", "python-shared", 300, -1).ends();
    const job = hands.map((x) => x * x, indexes(300), { key: "python-shared" });
    expect(await job).toEqual(JSON.parse(outputs));
    expect((await hands.jobs()).filter(({ key }) => key === "python-shared")).toHaveLength(1);
  });

  it.each(["1", "2", "3"])("[PY-3] lost replies repeat nothing and lose nothing (seed %s)", async (seed) => {
    const random = seededRandom(seed);
    const hands = await parts.platform.connect();
    const before = new Set((await hands.jobs()).map(({ id }) => id));
    parts.proxy.cuts = 0;
    parts.proxy.cutAfter = () =>
      random() < 0.4 ? Math.floor(random() * 600) : 4000 + Math.floor(random() * 20_000);
    const outcomes = outcomesOf(await startAt(parts.proxy.url, "slow_customer.py", 6000).ends());
    parts.proxy.cutAfter = () => undefined;
    expect(parts.proxy.cuts).toBeGreaterThan(0);
    expect(outcomes.map(([seq]) => seq)).toEqual(indexes(6000).map((index) => index + 1));
    const inOrder = outcomes.map(([, index, output]) => [index, output]).sort(([a], [b]) => a! - b!);
    expect(inOrder).toEqual(indexes(6000).map((index) => [index, index * 3]));
    const made = (await hands.jobs()).filter(({ id }) => !before.has(id));
    expect(made).toMatchObject([{ state: "finished", lastSeq: 6000, counts: { total: 6000, done: 6000 } }]);
  });

  it("[ONCE-4] [PY-3] results so far are read on after a cut between two chunks of their reply", async () => {
    const url = await startCutting(parts.platform.url, /results.*follow=0/);
    const program = [
      "import manyhands",
      "with manyhands.connect(log=lambda line: None) as hands:",
      "    job = hands.map('() => \"x\".repeat(200)', range(3000))",
      "    job.gather()",
      "    print(len(list(job.outcomes(follow=False))))",
    ].join("\n");
    const environment = { ...parts.platform.environment, MANYHANDS_SERVER: url };
    expect(await new PythonProgram(["-c", program], environment).ends()).toBe("3000\n");
  });

  it.each([
    ["that a kernel was stored", /^POST \/api\/kernels/],
    ["that a job was made", /^POST \/api\/jobs$/],
    ["that inputs were stored", /^POST \/api\/jobs\/\w+\/tasks/],
    ["of results", /^GET \/api\/jobs\/\w+\/results/],
  ])("[PY-3] a lost reply %s is asked for again, and nothing is there twice", async (_what, request) => {
    const hands = await parts.platform.connect();
    const before = new Set((await hands.jobs()).map(({ id }) => id));
    parts.proxy.cuts = 0;
    parts.proxy.loseReplyTo = request;
    expect(outcomesOf(await startAt(parts.proxy.url, "slow_customer.py", 3).ends())).toHaveLength(3);
    expect(parts.proxy.cuts).toBe(1);
    const made = (await hands.jobs()).filter(({ id }) => !before.has(id));
    expect(made).toMatchObject([{ state: "finished", lastSeq: 3, counts: { total: 3, done: 3 } }]);
  });

  it("[PY-3] blobs whose replies break off are read on from there, large outputs too", async () => {
    const program = [
      "import manyhands",
      "data = bytes(at * 31 % 256 for at in range(2_000_000))",
      "with manyhands.connect(log=lambda line: None) as hands:",
      "    reference = hands.put(data)",
      "    print(hands.get(reference) == data, hands.get(reference.slice(1_000, 1_500_000)) == data[1_000:1_500_000])",
      "    print(hands.map('x => x', [data, data[1:]]).gather() == [data, data[1:]])",
    ].join("\n");
    parts.proxy.cuts = 0;
    parts.proxy.cutAfter = (connection) => 100_000 + (connection % 7) * 100_000;
    const environment = { ...parts.platform.environment, MANYHANDS_SERVER: parts.proxy.url };
    expect(await new PythonProgram(["-c", program], environment).ends()).toBe("True True\nTrue\n");
    parts.proxy.cutAfter = () => undefined;
    expect(parts.proxy.cuts).toBeGreaterThan(5);
  });

  it("[PY-3] a restart of the server in the middle costs no result, and repeats none", async () => {
    const customer = start("slow_customer.py", 20_000);
    await expect.poll(() => customer.output.length).toBeGreaterThan(1000);
    await parts.platform.restart();
    const outcomes = outcomesOf(await customer.ends());
    expect(outcomes.map(([seq]) => seq)).toEqual(indexes(20_000).map((index) => index + 1));
  });

  it("[PY-3] a network that goes silent is left after the time without a byte", async () => {
    const customer = startAt(parts.proxy.url, "slow_customer.py", 20_000, 1);
    await expect.poll(() => customer.output.length).toBeGreaterThan(1000);
    parts.proxy.swallow();
    parts.proxy.heal();
    const outcomes = outcomesOf(await customer.ends());
    expect(outcomes.map(([seq]) => seq)).toEqual(indexes(20_000).map((index) => index + 1));
  });

  it("[ADDR-2] reaches a server behind a path", async () => {
    const { url } = await startPrefixProxy(parts.platform.url, "/manyhands");
    expect(outcomesOf(await startAt(url, "slow_customer.py", 3).ends())).toHaveLength(3);
  });

  it("[PY-3] reaches a server over HTTPS whose certificate the system or SSL_CERT_FILE vouches for", async () => {
    const { tlsKey, tlsCertificate } = await makeCertificate("localhost", "DNS:localhost,IP:127.0.0.1");
    const server = await startTestServer({ tlsKey, tlsCertificate });
    const program = "import manyhands; print(manyhands.connect(connect_timeout=5).status()['version'])";
    const variables = { ...process.env, MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token };
    const trusting = new PythonProgram(["-c", program], { ...variables, SSL_CERT_FILE: tlsCertificate });
    expect(await trusting.ends()).toBe(`${version}\n`);
    const other = new PythonProgram(["-c", program], variables);
    expect(await other.ended()).toBe(1);
    expect(other.log).toContain("certificate verify failed");
  });

  it("[PY-6] a program that ends well leaves all its inputs on the server", async () => {
    await start("leaving_customer.py", "well").ends();
    const hands = await parts.platform.connect();
    const job = (await hands.jobs()).find(({ name }) => name === "left well");
    expect(job).toMatchObject({ counts: { total: 50_001 } });
    expect(job?.state).not.toBe("open");
  });

  it("[PY-6] a program that ends with an exception ends, whatever its inputs", async () => {
    const customer = start("leaving_customer.py", "badly");
    expect(await customer.ended()).toBe(1);
    expect(customer.log).toContain("SystemError: over");
  });
});
