import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createBlobTransfer } from "../../node-client/blob-transfer.ts";
import { openDiskCache } from "../../node-client/disk-cache.ts";
import { BlobAccess } from "../../shared/client/data/blob-access.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { limits } from "../../shared/limits.ts";
import { hash } from "../support/chunks.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";
import { temporaryDirectory } from "../support/processes.ts";

const { chunkBytes } = limits;
/** 10,000 images of 1,200 bytes. */
const imageBytes = 1200;
const image = (n: number): [number, number] => [n * imageBytes, (n + 1) * imageBytes];

/** The real server, the real transfer and the real cache on disk, with a count of the transferred ranges. */
describe("[DATA-7] ranges of a large blob on a node", () => {
  let server: HttpServer;
  let stack: Buffer;
  let name: BlobName;
  let directory: string;
  let moved: number[];

  beforeEach(async () => {
    server = await startHttpServer();
    stack = randomBytes(10_000 * imageBytes);
    name = { sha256: await hash(stack), size: stack.length };
    const put = await server.request(`/api/blobs/${name.sha256}`, {
      method: "PUT",
      body: new Uint8Array(stack),
    });
    expect(put.status).toBe(201);
    directory = await temporaryDirectory();
  });

  async function startClient(): Promise<BlobAccess> {
    moved = [];
    const cache = await openDiskCache({ directory, log: () => undefined });
    onTestFinished(() => cache.close());
    const transfer = createBlobTransfer(() => server.url);
    const access = new BlobAccess({
      blobs: {
        ...transfer,
        fetch: async (...call) => {
          const bytes = await transfer.fetch(...call);
          moved.push(bytes.length);
          return bytes;
        },
      },
      cache,
      clock: { now: () => performance.now(), setTimer: (ms, then) => timer(ms, then) },
      random: Math.random,
      log: () => undefined,
    });
    access.useTicket(server.tokens.admin);
    return access;
  }

  const cachedFiles = async () =>
    (await readdir(join(directory, "blobs"), { recursive: true })).filter((path) => path.length > 60);

  it("moves the chunks of 20 images once, over all tasks, clients that start anew included", async () => {
    let access = await startClient();
    const wanted = Array.from({ length: 20 }, (_, i) => 4000 + i);
    for (const n of wanted)
      expect(await access.read(name, image(n))).toEqual(new Uint8Array(stack.subarray(...image(n))));
    expect(moved.length).toBeLessThanOrEqual(2);
    expect(moved.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(2 * chunkBytes);
    const chunks = new Set(
      [...wanted, 9999].flatMap((n) => image(n).map((at) => Math.floor((at - 1) / chunkBytes))),
    );
    await access.read(name, image(9999));
    await expect.poll(async () => (await cachedFiles()).length).toBe(chunks.size);
    access = await startClient();
    for (const n of wanted) expect(await access.read(name, image(n))).toHaveLength(imageBytes);
    expect(moved).toEqual([]);
  });

  it("does not use a chunk that was damaged on this machine's disk", async () => {
    await (await startClient()).read(name, image(0));
    await expect.poll(async () => (await cachedFiles()).length).toBe(1);
    const path = join(directory, "blobs", (await cachedFiles())[0] ?? "");
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0, 10, 20));
    const access = await startClient();
    expect(await access.read(name, image(0))).toEqual(new Uint8Array(stack.subarray(...image(0))));
    expect(moved).toEqual([chunkBytes]);
  });

  it("says what the server says when the blob is gone", async () => {
    const access = await startClient();
    const gone = { ...name, sha256: await hash(new Uint8Array(3)) };
    await expect(access.read(gone, [0, 5])).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

function timer(ms: number, then: () => void): () => void {
  const timeout = setTimeout(then, ms);
  return () => clearTimeout(timeout);
}
