import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { createBlobTransfer } from "../../node-client/blob-transfer.ts";
import type { BlobTransfer } from "../../shared/client/ports.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { FlakyProxy } from "../support/flaky-proxy.ts";
import { Link } from "../support/link/link.ts";
import { startTestServer } from "../support/server.ts";

describe("blob transfer with the real server", () => {
  it("uploads, fetches whole and in ranges", async () => {
    const server = await startTestServer();
    const transfer = createBlobTransfer(() => server.url);
    const bytes = randomBytes(3_000_000);
    const name = await transfer.upload(bytes, server.token);
    expect(name).toEqual(nameOf(bytes));
    expect(await transfer.upload(bytes, server.token)).toEqual(name);
    expect(await transfer.fetch(name, undefined, server.token)).toEqual(new Uint8Array(bytes));
    const part = await transfer.fetch(name, [1_000_000, 1_000_010], server.token);
    expect(part).toEqual(new Uint8Array(bytes.subarray(1_000_000, 1_000_010)));
    expect(await transfer.fetch(name, [5, 5], server.token)).toEqual(new Uint8Array());
  });

  it("an empty blob is a blob", async () => {
    const server = await startTestServer();
    const transfer = createBlobTransfer(() => server.url);
    const name = await transfer.upload(new Uint8Array(), server.token);
    expect(name.size).toBe(0);
    expect(await transfer.fetch(name, undefined, server.token)).toEqual(new Uint8Array());
  });

  it("passes refusals on with their code", async () => {
    const server = await startTestServer();
    const transfer = createBlobTransfer(() => server.url);
    const unknown = nameOf(randomBytes(10));
    await refused(transfer.fetch(unknown, undefined, server.token), "NOT_FOUND");
    await refused(transfer.upload(randomBytes(10), "no such ticket"), "UNAUTHENTICATED");
  });
});

describe("blob transfer with a server that misbehaves", () => {
  const bytes = randomBytes(10_000);
  const name = nameOf(bytes);

  it.each<[string, RequestListener, string]>([
    ["sends other bytes", (_, response) => response.end(randomBytes(10_000)), "HASH_MISMATCH"],
    ["sends too few bytes", (_, response) => response.end(bytes.subarray(1)), "HASH_MISMATCH"],
    ["never stops sending", (_, response) => void pour(response), "HASH_MISMATCH"],
    [
      "breaks off in the middle",
      (_, response) => {
        response.writeHead(200, { "content-length": 10_000 });
        response.write(bytes.subarray(0, 5000), () => response.destroy());
      },
      "UNREACHABLE",
    ],
    [
      "is a proxy that fails",
      (_, response) => response.writeHead(502).end("<h1>Bad Gateway</h1>"),
      "UNREACHABLE",
    ],
    ["redirects", (_, response) => response.writeHead(302, { location: "/elsewhere" }).end(), "UNREACHABLE"],
  ])("%s", async (_what, listener, code) => {
    const url = await serve(listener);
    const transfer = createBlobTransfer(() => url);
    await refused(transfer.fetch(name, undefined, "ticket"), code);
  });

  it("ignores the range: the part is cut here, from verified bytes", async () => {
    const url = await serve((_, response) => response.end(bytes));
    const transfer = createBlobTransfer(() => url);
    expect(await transfer.fetch(name, [100, 200], "ticket")).toEqual(
      new Uint8Array(bytes.subarray(100, 200)),
    );
  });

  it("is not there", async () => {
    const url = await serve((_, response) => response.end(), true);
    await refused(createBlobTransfer(() => url).fetch(name, undefined, "ticket"), "UNREACHABLE");
  });
});

describe("[MILES-9] blob transfer with a server far away", () => {
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, at) => `particle ${at}\n`).join(""));
  const name = nameOf(text);
  /** An answer takes longer than one of a near server. */
  const later = (answer: () => void): void => void setTimeout(answer, 200);

  /** A transfer that has had an answer. */
  async function farTransfer(listener: RequestListener): Promise<BlobTransfer> {
    const url = await serve((request, response) =>
      later(() =>
        request.url!.includes("warm") ? response.writeHead(404).end() : listener(request, response),
      ),
    );
    const transfer = createBlobTransfer(() => url);
    const warm = { sha256: "warm" as Sha256, size: 1 };
    await expect(transfer.fetch(warm, undefined, "ticket")).rejects.toThrow();
    return transfer;
  }

  it("asks for a compressed blob, and goes on with a range where it breaks off", async () => {
    const asked: IncomingHttpHeaders[] = [];
    const noise = Buffer.from(randomBytes(300_000).toString("hex"));
    const body = gzipSync(noise);
    const transfer = await farTransfer(({ headers }, response) => {
      asked.push(headers);
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? "")?.[1] ?? 0);
      if (from > 0) return void response.writeHead(206).end(noise.subarray(from));
      response.writeHead(200, { "content-encoding": "gzip", "content-length": body.length });
      response.write(body.subarray(0, body.length / 2), () => later(() => response.destroy()));
    });
    const part = { bytes: new Uint8Array(), length: 0 };
    await refused(transfer.fetch(nameOf(noise), undefined, "ticket", part), "UNREACHABLE");
    expect(part.length).toBeGreaterThan(0);
    expect(part.length).toBeLessThan(noise.length);
    expect(await transfer.fetch(nameOf(noise), undefined, "ticket", part)).toEqual(new Uint8Array(noise));
    expect(asked.map((headers) => headers["accept-encoding"])).toEqual(["gzip", undefined]);
  });

  it.each<[string, Buffer, string]>([
    ["inflates beyond the blob's size", gzipSync(Buffer.alloc(300_000_000)), "HASH_MISMATCH"],
    ["is damaged", gzipSync(text).fill(0, 20, 40), "UNREACHABLE"],
    ["ends too early", gzipSync(text).subarray(0, -9), "UNREACHABLE"],
    ["has other bytes", gzipSync(Buffer.alloc(text.length)), "HASH_MISMATCH"],
  ])("a compressed reply that %s is refused", async (_what, body, code) => {
    const transfer = await farTransfer((_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(body),
    );
    const before = process.memoryUsage().rss;
    await refused(transfer.fetch(name, undefined, "ticket"), code);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  });

  it.each([
    ["one of 0.2.0 gets bytes as they are", {}, undefined],
    ["one that says so takes them compressed", { "accept-encoding": "gzip" }, "gzip"],
  ] as const)("%s", async (_what, offer, encoding) => {
    const came: (string | undefined)[] = [];
    const bodies: Buffer[] = [];
    const transfer = await farTransfer((request, response) => {
      came.push(request.headers["content-encoding"]);
      void buffer(request).then((body) => {
        bodies.push(body);
        response.writeHead(201, offer).end();
      });
    });
    for (let index = 0; index < 2; index++) await transfer.upload(text, "ticket");
    expect(came).toEqual([undefined, encoding]);
    expect((encoding ? gunzipSync(bodies[1]!) : bodies[1]!).equals(text)).toBe(true);
  });
});

async function pour(response: { write(bytes: Buffer): boolean; destroyed: boolean }): Promise<void> {
  while (!response.destroyed) {
    response.write(randomBytes(10_000));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function refused(promise: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(PlatformError);
  expect(error).toMatchObject({ code });
}

function nameOf(bytes: Uint8Array): BlobName {
  return { sha256: createHash("sha256").update(bytes).digest("hex") as Sha256, size: bytes.length };
}

/** Origin of a server with this listener; with `closed` the server has ended already. */
async function serve(listener: RequestListener, closed = false): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  if (closed) await close();
  else onTestFinished(close);
  return `http://127.0.0.1:${port}`;
}

describe("[WAIT-2] blob transfer over a connection that dies", () => {
  it("gives up soon, and goes on where it stopped", async () => {
    const server = await startTestServer();
    const proxy = await FlakyProxy.start(server.url);
    onTestFinished(() => proxy.close());
    const transfer = createBlobTransfer(() => proxy.url, 2_000);
    const bytes = randomBytes(5_000_000);
    const name = await createBlobTransfer(() => server.url).upload(bytes, server.token);
    const part = { bytes: new Uint8Array(), length: 0 };
    proxy.cutAfter = () => 2_000_000;
    await refused(transfer.fetch(name, undefined, server.token, part), "UNREACHABLE");
    const { length } = part;
    expect(length).toBeGreaterThan(0);
    proxy.cutAfter = () => undefined;
    proxy.swallow();
    await refused(transfer.fetch(name, undefined, server.token, part), "UNREACHABLE");
    await refused(transfer.upload(randomBytes(100_000), server.token), "UNREACHABLE");
    proxy.heal();
    // Only the missing bytes can get through.
    proxy.cutAfter = () => bytes.length - length + 1_000;
    const patient = createBlobTransfer(() => proxy.url);
    expect(await patient.fetch(name, undefined, server.token, part)).toEqual(new Uint8Array(bytes));
  });
});

describe("[TRANSFER-1] [TRANSFER-2] over a link whose connections are reset again and again", () => {
  // Two seconds for all bytes, with two resets; a busy machine takes longer, and each further reset costs what is under way.
  const shape = { rttMs: 20, upMbitPerS: 24, downMbitPerS: 24, loss: 0, resetEveryMs: 800 };
  const bytes = randomBytes(6_000_000);

  /** Tries until it succeeds, as the core does, but without a pause. */
  async function persistently<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tries = 0; ; tries++)
      try {
        return await attempt();
      } catch (error) {
        if (tries > 50 || (error as PlatformError).code !== "UNREACHABLE") throw error;
      }
  }

  it("a download moves each byte about once", async () => {
    const server = await startTestServer();
    const name = await createBlobTransfer(() => server.url).upload(bytes, server.token);
    const link = await Link.start(server.url, shape);
    onTestFinished(() => link.close());
    const transfer = createBlobTransfer(() => link.url);
    const part = { bytes: new Uint8Array(), length: 0 };
    const got = await persistently(() => transfer.fetch(name, undefined, server.token, part));
    expect(got).toEqual(new Uint8Array(bytes));
    const { down, connections } = await link.counts();
    expect(connections).toBeGreaterThan(2);
    expect(down).toBeLessThan(1.5 * bytes.length);
  });

  it("an upload that follows another of the same bytes moves none", async () => {
    const server = await startTestServer();
    await createBlobTransfer(() => server.url).upload(bytes, server.token);
    const link = await Link.start(server.url, { ...shape, resetEveryMs: undefined });
    onTestFinished(() => link.close());
    const transfer = createBlobTransfer(() => link.url);
    const name = await transfer.upload(bytes, server.token, { length: 0, isBegun: true });
    expect(name).toEqual(nameOf(bytes));
    expect((await link.counts()).up).toBeLessThan(0.01 * bytes.length);
  });

  it("an upload moves each byte about once", async () => {
    const server = await startTestServer();
    const link = await Link.start(server.url, shape);
    onTestFinished(() => link.close());
    const transfer = createBlobTransfer(() => link.url);
    const part = { length: 0, isBegun: false };
    const name = await persistently(() => transfer.upload(bytes, server.token, part));
    expect(await createBlobTransfer(() => server.url).fetch(name, undefined, server.token)).toEqual(
      new Uint8Array(bytes),
    );
    const { up, connections } = await link.counts();
    expect(connections).toBeGreaterThan(2);
    expect(up).toBeLessThan(1.5 * bytes.length);
  });
});
