import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { DataReference, type Hands } from "../../customer/index.ts";
import { getBlob, putBytes } from "../../customer/blobs.ts";
import { HttpClient } from "../../customer/http.ts";
import { Network } from "../../customer/network.ts";
import type { Sha256 } from "../../shared/ids.ts";
import { LivePlatform } from "./live-platform.ts";
import { isWindows, onWindows, isLinux, unlessLinux } from "../support/skipped.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
  hands = await platform.connect();
});
afterAll(() => platform.close());

const bytes = new Uint8Array(1_234_567).map((_, index) => index * 7);
const sha256 = createHash("sha256").update(bytes).digest("hex");

const network = new Network();

/** A connection that records the methods of its requests. */
function listeningClient(): { http: HttpClient; sent: string[] } {
  const sent: string[] = [];
  const http = new HttpClient({
    url: platform.url,
    findToken: async () => platform.server.token,
    patienceMs: 5_000,
    log: () => undefined,
    fetch: (url, init) => {
      sent.push(init.method ?? "GET");
      return network.fetch(url, init);
    },
  });
  return { http, sent };
}

describe("putting data", () => {
  it("hashes bytes in memory beyond 2 GiB", async () => {
    const hash = createHash("sha256");
    const piece = new Uint8Array(2 ** 20);
    for (let i = 0; i < 2048; i++) hash.update(piece);
    const http = new HttpClient({
      url: platform.url,
      findToken: async () => platform.server.token,
      patienceMs: 5_000,
      log: () => undefined,
      // The server has the bytes, so they are not sent.
      fetch: async () => new Response(),
    });
    const large = new Uint8Array(2 ** 31 + 3);
    large.set([1, 2, 3], 2 ** 31);
    const expected = hash.update(large.subarray(2 ** 31)).digest("hex");
    expect(await putBytes(http, large)).toMatchObject({ sha256: expected, size: 2 ** 31 + 3 });
  });

  it("gives the same reference for the same bytes, whatever they came from", async () => {
    const path = join(platform.directory, "data.bin");
    await writeFile(path, bytes);
    const inPieces = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
    };
    const sources = [bytes, bytes.buffer, path, pathToFileURL(path), new Blob([bytes]), inPieces()];
    for (const source of [...sources, new Blob([bytes]).stream()]) {
      const { sha256: name, size } = await hands.put(source);
      expect({ name, size }).toEqual({ name: sha256, size: bytes.length });
    }
    expect((await hands.status()).blobs.count).toBe(1);
  });

  it("[READ-1] sends what other customers have, also for an administrator, who sees it", async () => {
    const asCustomer = async (name: string) => {
      const { token } = await hands.api.createToken("customer", name);
      return platform.connect({ token });
    };
    const [ada, bob] = [await asCustomer("ada"), await asCustomer("bob")];
    const shared = new TextEncoder().encode("what everybody has");
    for (const customer of [ada, bob, hands]) {
      const reference = await customer.put(shared);
      expect(await customer.map((ref) => ref.size, [reference])).toEqual([shared.length]);
    }
    const reference = await ada.put(new TextEncoder().encode("what ada has"));
    await expect(bob.get(reference)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await ada.api.deleteBlob(reference.sha256);
    await expect(ada.get(reference)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await bob.usage()).toMatchObject([{ customer: "bob", bytes: { blobs: shared.length }, jobs: 1 }]);
    expect((await hands.usage()).map(({ customer }) => customer)).toEqual(
      expect.arrayContaining(["ada", "bob"]),
    );
  });

  it("asks no more whether small blobs are here after several that were not, until one was", async () => {
    const { http, sent } = listeningClient();
    const put = (text: string) => putBytes(http, new TextEncoder().encode(text));
    for (const text of ["a", "b", "c", "d"]) await put(text);
    expect(sent.splice(0).join(" ")).toBe("HEAD PUT HEAD PUT HEAD PUT HEAD PUT");
    await put("e");
    const again = await put("a");
    expect(again.size).toBe(1);
    expect(sent.splice(0).join(" ")).toBe("PUT PUT");
    await put("b");
    await put("f");
    expect(sent.splice(0).join(" ")).toBe("HEAD HEAD PUT");
  });

  it("asks for large blobs always", async () => {
    const { http, sent } = listeningClient();
    for (const text of ["g", "h", "i", "j"]) await putBytes(http, new TextEncoder().encode(text));
    sent.length = 0;
    const large = new Uint8Array(5 * 1024 ** 2);
    await putBytes(http, large);
    await putBytes(http, large);
    expect(sent.join(" ")).toBe("HEAD PUT HEAD");
  });

  it.skipIf(isWindows)(`[WAIT-1] reads a pipe to its end${onWindows}`, async () => {
    const path = join(platform.directory, "pipe");
    execFileSync("mkfifo", [path]);
    const written = writeFile(path, bytes);
    expect(await hands.put(path)).toMatchObject({ sha256, size: bytes.length });
    await written;
  });

  it.skipIf(!isLinux)(`[WAIT-1] reads a file that says it is empty, and is not${unlessLinux}`, async () => {
    const reference = await hands.put("/proc/version");
    expect(new TextDecoder().decode(await hands.get(reference))).toBe(
      await readFile("/proc/version", "utf8"),
    );
  });

  it.skipIf(isWindows).each(["/dev/zero", "/dev/null"])(`[WAIT-1] refuses %s${onWindows}`, async (path) => {
    await expect(hands.put(path)).rejects.toMatchObject({
      code: "FILE_FAILED",
      message: expect.stringMatching(/a device or a socket; expected a file/) as string,
    });
  });

  it("says which file is not there", async () => {
    await expect(hands.put(join(platform.directory, "none"))).rejects.toMatchObject({
      code: "FILE_FAILED",
      message: expect.stringContaining("none") as string,
    });
  });
});

describe("getting data", () => {
  it("gives the bytes back, whole, in part and in chunks", async () => {
    const reference = await hands.put(bytes);
    expect(await hands.get(reference)).toEqual(bytes);
    expect(await hands.get(reference.slice(10, 20))).toEqual(bytes.slice(10, 20));
    const chunks: Uint8Array[] = [];
    for await (const chunk of hands.stream(reference)) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(await hands.get(await hands.put(new Uint8Array(0)))).toHaveLength(0);
  });

  it("of an unknown blob is refused", async () => {
    const unknown = new DataReference("0".repeat(64) as Sha256, 3);
    await expect(hands.get(unknown)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("[VALUE-4] of a size beyond this program's memory is refused, and says how to read it", async () => {
    const vast = new DataReference("0".repeat(64) as Sha256, 2 ** 50);
    await expect(hands.get(vast)).rejects.toMatchObject({
      code: "TOO_LARGE",
      remedy: expect.stringContaining("hands.stream") as string,
    });
  });
});

/** A connection to a server of one's own, whose replies `answer` writes. */
async function connectTo(answer: RequestListener): Promise<HttpClient> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const http = new HttpClient({
    url,
    findToken: async () => undefined,
    patienceMs: 5_000,
    log: () => undefined,
  });
  onTestFinished(() => http.close());
  return http;
}

it("[WAIT-1] a blob whose replies break off before the same byte again and again is refused, saying where", async () => {
  const http = await connectTo(({ headers }, response) => {
    const from = Number(/bytes=(\d+)/.exec(headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length - from });
    response.write(bytes.subarray(from, 1_000_000), () => response.destroy());
  });
  const reference = new DataReference(sha256 as Sha256, bytes.length);
  await expect(getBlob(http, reference)).rejects.toMatchObject({
    code: "UNREACHABLE",
    message: expect.stringMatching(/break off at byte 1000000 of 1234567/) as string,
  });
});

it("[DATA-1] bytes that are not those of their name are refused, also when there are as many", async () => {
  const wrong = bytes.slice().fill(1, 5, 9);
  const http = await connectTo((_request, response) => response.end(wrong));
  const reference = new DataReference(sha256 as Sha256, bytes.length);
  await expect(getBlob(http, reference)).rejects.toMatchObject({ code: "HASH_MISMATCH" });
});

describe("data references in inputs", () => {
  it("are read by the kernel, whole or a slice", async () => {
    const reference = await hands.put(new TextEncoder().encode("many hands make light work"));
    const inputs = [{ ref: reference }, { ref: reference.slice(5, 10) }];
    const read = hands.map(async ({ ref }, ctx) => String.fromCharCode(...(await ctx.data(ref))), inputs);
    expect(await read).toEqual(["many hands make light work", "hands"]);
  });

  it("to missing blobs are refused, naming the blob to put", async () => {
    const unknown = new DataReference("f".repeat(64) as Sha256, 3);
    await expect(hands.map((ref) => ref, [unknown])).rejects.toMatchObject({ code: "UNKNOWN_BLOB" });
  });
});
