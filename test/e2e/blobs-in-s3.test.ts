import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { createBlobTransfer } from "../../node-client/blob-transfer.ts";
import { connect, type Hands } from "../../customer/index.ts";
import { sha256Hex } from "../../shared/hash.ts";
import { launchBrowser } from "../support/browser.ts";
import { startFaultyProxy, type FaultyProxy } from "../support/faulty-proxy.ts";
import { readClients, expectAllOnce, readJob, submitJob } from "../support/jobs.ts";
import { startClientProcess, until } from "../support/processes.ts";
import { hasS3, startS3, whyNoS3, type S3Server } from "../support/s3-server.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { python, PythonProgram, whySkipped } from "../python/programs.ts";

let s3: S3Server;
let proxy: FaultyProxy;
let server: TestServer;
/** Whether those who come with a signed address are refused. */
let refusesSigned = false;

const isSigned = (url: string): boolean => url.includes("X-Amz-Signature");
/** The requests of those who came with a signed address. */
const fetched = () => proxy.seen.filter(({ method, url }) => method === "GET" && isSigned(url));

if (hasS3) {
  beforeAll(async () => {
    s3 = await startS3();
    proxy = await startFaultyProxy(s3.endpoint, ({ url = "" }) =>
      refusesSigned && isSigned(url)
        ? { status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }
        : undefined,
    );
  });
  afterAll(async () => {
    await proxy?.close();
    await s3?.close();
  });
}

async function start(query = ""): Promise<TestServer> {
  return startTestServer({ blobs: `s3://${s3.bucket}/${randomUUID()}?endpoint=${proxy.url}${query}` });
}

async function connected(): Promise<Hands> {
  const hands = await connect(server.url, { token: server.token });
  onTestFinished(() => hands.close());
  return hands;
}

describe.skipIf(!hasS3)(`blobs in S3${whyNoS3}`, () => {
  beforeEach(async () => {
    for (const [name, value] of Object.entries(s3.env)) vi.stubEnv(name, value);
    refusesSigned = false;
    server = await start();
    proxy.seen.length = 0;
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("[BLOB-5] an owner who asks for a redirect gets a signed address, other readers get the bytes", async () => {
    const hands = await connected();
    const bytes = randomBytes(5000);
    const { sha256 } = await hands.put(bytes);
    const get = (path: string, token: string, init: RequestInit = {}) =>
      fetch(`${server.url}${path}`, {
        ...init,
        redirect: "manual",
        headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
      });
    const direct = `/api/blobs/${sha256}?direct=1`;
    const reply = await get(direct, server.token);
    expect(reply.status).toBe(307);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(reply.headers.get("location")).toMatch(new RegExp(`^${proxy.url}/.*X-Amz-Expires=600`));
    expect((await get(direct, server.token, { method: "HEAD" })).status).toBe(200);
    const plain = await get(`/api/blobs/${sha256}`, server.token);
    expect(Buffer.from(await plain.arrayBuffer()).equals(bytes)).toBe(true);
    const { token = "" } = (await server.api("POST", "/api/tokens", {
      role: "customer",
      name: "bob",
    })) as Record<string, string>;
    expect((await get(direct, token)).status).toBe(404);
  });

  it("[BLOB-5] Node clients and the SDK fetch there, whole and in ranges, and show S3 no token", async () => {
    const hands = await connected();
    const bytes = randomBytes(9_000_000);
    const reference = await hands.put(bytes);
    expect(await hands.get(reference)).toEqual(new Uint8Array(bytes));
    expect(await hands.get(reference.slice(10, 20))).toEqual(new Uint8Array(bytes.subarray(10, 20)));
    const transfer = createBlobTransfer(() => server.url);
    expect(await transfer.fetch(reference, undefined, server.token)).toEqual(new Uint8Array(bytes));
    expect(await transfer.fetch(reference, [5, 7], server.token)).toEqual(
      new Uint8Array(bytes.subarray(5, 7)),
    );
    expect(fetched()).toHaveLength(4);
    for (const { authorization } of fetched()) expect(authorization).toBeUndefined();

    await startClientProcess(server);
    const sums = await hands.map(
      async (part: { data: typeof reference }, ctx) => (await ctx.data(part.data)).length,
      [{ data: reference.slice(100, 300) }],
    );
    expect(sums).toEqual([200]);
    expect(fetched().length).toBeGreaterThan(4);
  });

  it("[BLOB-5] a reader who cannot fetch from S3 turns to the server", async () => {
    const hands = await connected();
    const bytes = randomBytes(300_000);
    const reference = await hands.put(bytes);
    refusesSigned = true;
    const transfer = createBlobTransfer(() => server.url);
    for (let round = 0; round < 2; round++) {
      expect(await hands.get(reference)).toEqual(new Uint8Array(bytes));
      expect(await transfer.fetch(reference, [5, 7], server.token)).toEqual(
        new Uint8Array(bytes.subarray(5, 7)),
      );
    }
    // The SDK and the client's transfer tried a signed URL once each.
    expect(fetched()).toHaveLength(2);
  });

  it("[BLOB-5] with signedUrls=off all goes over the server", async () => {
    server = await start("&signedUrls=off");
    const hands = await connected();
    const bytes = randomBytes(300_000);
    const reference = await hands.put(bytes);
    expect(await hands.get(reference)).toEqual(new Uint8Array(bytes));
    expect(fetched()).toEqual([]);
    const page = await fetch(server.url);
    expect(page.headers.get("content-security-policy")).not.toContain(proxy.url);
  });

  it.skipIf(python === undefined)(
    `[BLOB-5] Python fetches there, or from the server${whySkipped}`,
    async () => {
      const hands = await connected();
      const bytes = randomBytes(400_000);
      const reference = await hands.put(bytes);
      const read = async (): Promise<void> => {
        const program = new PythonProgram(
          [
            "-c",
            `import hashlib, manyhands
hands = manyhands.connect()
reference = manyhands.DataReference("${reference.sha256}", ${bytes.length})
for _ in range(2):
    print(hashlib.sha256(hands.get(reference)).hexdigest(), bytes(hands.get(reference.slice(7, 9))).hex())
`,
          ],
          { MANYHANDS_SERVER: server.url, MANYHANDS_TOKEN: server.token },
        );
        const line = `${reference.sha256} ${bytes.subarray(7, 9).toString("hex")}`;
        expect((await program.ends()).trim().split(/\r?\n/)).toEqual([line, line]);
      };
      await read();
      expect(fetched()).toHaveLength(4);
      for (const { authorization } of fetched()) expect(authorization).toBeUndefined();
      refusesSigned = true;
      await read();
      expect(fetched()).toHaveLength(5);
    },
  );

  describe("in a browser", () => {
    const compute = async (): Promise<void> => {
      const browser = await launchBrowser();
      onTestFinished(() => browser.close());
      const parts = [randomBytes(400_000), randomBytes(9_000_000)];
      const hands = await connected();
      for (const part of parts) await hands.put(part);
      const inputs = parts.map((part) => ({
        $ref: { sha256: sha256Hex(part), size: part.length, range: [part.length - 3, part.length] },
      }));
      const id = await submitJob(
        server,
        "export default async (ref, ctx) => Array.from(await ctx.data(ref));",
        inputs,
      );
      const page = await browser.newPage();
      await page.goto(`${server.url}/?auto=1`);
      await until(async () => (await readJob(server, id)).state === "finished", 60_000);
      await expectAllOnce(
        server,
        id,
        parts.map((part) => [...part.subarray(-3)]),
      );
      expect((await readClients(server)).some(({ kind }) => kind === "browser")).toBe(true);
    };

    it("[BLOB-5] the page fetches there, which its policy permits for that origin alone", async () => {
      const policy = (await fetch(server.url)).headers.get("content-security-policy") ?? "";
      expect(policy.split("; ").filter((rule) => rule.includes(proxy.url))).toHaveLength(1);
      expect(policy).toMatch(new RegExp(`connect-src [^;]* ${proxy.url}(?:;|$)`));
      await compute();
      expect(fetched().length).toBeGreaterThanOrEqual(2);
      for (const { authorization } of fetched()) expect(authorization).toBeUndefined();
    });

    it("[BLOB-5] the page turns to the server when it cannot", async () => {
      refusesSigned = true;
      await compute();
      expect(fetched().length).toBeGreaterThan(0);
    });
  });
});
