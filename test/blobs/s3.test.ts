import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { BlobBucket, type BucketBounds } from "../../server/blobs/s3/bucket.ts";
import { elementOf, elementsOf } from "../../server/blobs/s3/failure.ts";
import { S3Client, type S3Body } from "../../server/blobs/s3/client.ts";
import { parseS3Place } from "../../server/blobs/s3/place.ts";
import { Readable } from "node:stream";
import { sha256Hex } from "../../shared/hash.ts";
import { blobContract } from "../contract/blobs.ts";
import { BlobWorld, content, keepMs, type BlobPlace } from "../contract/blob-harness.ts";
import { generous, hasS3, startS3, whyNoS3, stranger, type S3Server } from "../support/s3-server.ts";

let s3: S3Server;
let places = 0;
if (hasS3) {
  beforeAll(async () => {
    s3 = await startS3();
  });
  afterAll(() => s3?.close());
}

interface S3TestPlace extends BlobPlace {
  readonly client: S3Client;
  bucket(bounds?: Partial<BucketBounds>): BlobBucket;
}

/** A prefix of its own in the bucket. */
async function openPlace(): Promise<S3TestPlace> {
  const folder = await mkdtemp(join(tmpdir(), "manyhands-uploads-"));
  const place = parseS3Place(`s3://${s3.bucket}/lab/n${++places}?endpoint=${s3.endpoint}`, s3.env);
  const client = new S3Client(place, generous);
  let servers = 0;
  const bucket = (bounds?: Partial<BucketBounds>): BlobBucket =>
    new BlobBucket(place, join(folder, `server${++servers}`), { patienceMs: 60_000, ...bounds });
  return {
    client,
    bucket,
    backend: bucket,
    async everything() {
      const { body } = await client.ask({ method: "GET", query: { "list-type": "2", prefix: place.prefix } });
      const keys = elementsOf(body, "Contents").map((one) => elementOf(one, "Key") ?? "");
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      return [
        ...keys.map((key) => key.slice(place.prefix.length).replace(/^blobs\//, "")),
        ...files.filter((file) => file.isFile()).map(({ name }) => name),
      ];
    },
    async damage(sha256, bytes) {
      const key = `blobs/${sha256}`;
      if (bytes) await client.ask({ method: "PUT", key, body: bodyOf(bytes) });
      else await client.ask({ method: "DELETE", key });
    },
    close: () => rm(folder, { recursive: true }),
  };
}

function bodyOf(bytes: Uint8Array): S3Body {
  return { bytes: bytes.length, sha256: sha256Hex(bytes), open: () => Readable.from([bytes]) };
}

async function openWorld(): Promise<{ place: S3TestPlace; world: BlobWorld }> {
  const place = await openPlace();
  const world = await BlobWorld.open(async () => place);
  onTestFinished(() => world.close());
  return { place, world };
}

describe.skipIf(!hasS3)(`S3${whyNoS3}`, () => {
  blobContract("an S3 bucket", { isShared: true, verifiesItself: true, rounds: 8, open: openPlace });

  describe("large blobs", () => {
    const mib = 1024 ** 2;
    const bounds = { partBytes: 5 * mib, copyBytes: 5 * mib };

    it("[BLOB-4] go in parts, which become visible together", async () => {
      const { place, world } = await openWorld();
      world.blobs = world.server({ backend: place.bucket(bounds) });
      const one = content(12 * mib + 17);
      expect(await world.put(one)).toMatchObject({ created: true });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      const range = [5 * mib - 3, 10 * mib + 3] as const;
      expect((await world.read(one.sha256, range)).equals(one.bytes.subarray(...range))).toBe(true);
      expect(await uploads(place)).toEqual([]);
    });

    it("[BLOB-3] go and come back in parts, too, when they are wanted again", async () => {
      const { place, world } = await openWorld();
      const bucket = place.bucket(bounds);
      world.blobs = world.server({ backend: bucket });
      const one = content(11 * mib);
      await world.put(one);
      await bucket.remove({ sha256: one.sha256, size: one.bytes.length }, async () => {
        expect(await bucket.find(one.sha256)).toBeUndefined();
        return true;
      });
      expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
      expect(await place.everything()).toEqual([one.sha256]);
    });

    it("[BLOB-2] whose server died are removed, and a blob that it was removing comes back", async () => {
      const { place, world } = await openWorld();
      const [half, aside] = [content(10), content(20)];
      await place.client.ask({ method: "POST", key: `blobs/${half.sha256}`, query: { uploads: "" } });
      await place.client.ask({ method: "PUT", key: `aside/${aside.sha256}`, body: bodyOf(aside.bytes) });
      await world.blobs.collect();
      expect(await uploads(place)).toHaveLength(1);
      expect(await world.blobs.stat(aside.sha256)).toBeUndefined();
      const patient = place.bucket({ deadAfterMs: -keepMs * 60 });
      await world.server({ backend: patient }).collect();
      expect(await uploads(place)).toEqual([]);
      expect((await world.read(aside.sha256)).equals(aside.bytes)).toBe(true);
      expect(await place.everything()).toEqual([aside.sha256]);
    });
  });

  it("lists more objects than one reply has", async () => {
    const { place, world } = await openWorld();
    const many = Array.from({ length: 7 }, (_, n) => content(10 + n));
    for (const one of many) await place.damage(one.sha256, one.bytes);
    const blobs = world.server({ backend: place.bucket({ pageKeys: 3 }) });
    expect(await blobs.check()).toEqual({ adopted: 7, missing: { count: 0, bytes: 0 } });
  });

  describe("[BLOB-5] a signed address", () => {
    it("gives the blob and its ranges to anybody, and nothing else", async () => {
      const { place, world } = await openWorld();
      const one = content(5000);
      await world.put(one);
      const url = (await world.blobs.signedUrl(one.sha256, { customer: "ada" }))!;
      expect(new URL(url).origin).toBe(world.blobs.signedOrigin);
      const whole = await fetch(url);
      expect(Buffer.from(await whole.arrayBuffer()).equals(one.bytes)).toBe(true);
      const part = await fetch(url, { headers: { range: "bytes=10-19" } });
      expect(part.status).toBe(206);
      expect(Buffer.from(await part.arrayBuffer()).equals(one.bytes.subarray(10, 20))).toBe(true);
      await place.damage(content(1).sha256);
      expect((await fetch(url.replace(one.sha256, content(1).sha256))).status).toBe(403);
      expect((await fetch(url, { method: "DELETE" })).status).toBe(403);
      expect((await fetch(url.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"))).status).toBe(403);
      expect(await world.blobs.signedUrl(one.sha256, { customer: "bob" })).toBeUndefined();
    });

    it("is not given with signedUrls=off", async () => {
      const { world } = await openWorld();
      const place = parseS3Place(`s3://${s3.bucket}?endpoint=${s3.endpoint}&signedUrls=off`, s3.env);
      const folder = await mkdtemp(join(tmpdir(), "manyhands-uploads-"));
      onTestFinished(() => rm(folder, { recursive: true }));
      const blobs = world.server({ backend: new BlobBucket(place, folder) });
      const one = content(10);
      await world.put(one, { customer: "ada" }, blobs);
      expect(await blobs.signedUrl(one.sha256)).toBeUndefined();
      expect(blobs.signedOrigin).toBeUndefined();
    });
  });

  describe("[BLOB-6] access is tried", () => {
    const tryPlace = async (text: string, env: NodeJS.ProcessEnv = s3.env): Promise<void> => {
      const folder = await mkdtemp(join(tmpdir(), "manyhands-uploads-"));
      onTestFinished(() => rm(folder, { recursive: true }));
      await new BlobBucket(parseS3Place(text, env), folder, { patienceMs: 500 }).tryAccess();
    };

    it("and leaves nothing", async () => {
      const { place } = await openWorld();
      await place.bucket().tryAccess();
      expect(await place.everything()).toEqual([]);
    });

    it("a bucket that is not there is named", async () => {
      await expect(tryPlace(`s3://no-such-bucket?endpoint=${s3.endpoint}`)).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringMatching(/no bucket no-such-bucket at http/) as string,
      });
    });

    it("wrong credentials, and such that may not do it, are told apart", async () => {
      const text = `s3://${s3.bucket}?endpoint=${s3.endpoint}`;
      const wrong = { ...s3.env, AWS_SECRET_ACCESS_KEY: "wrong" };
      await expect(tryPlace(text, wrong)).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringMatching(/refuses the credentials/) as string,
      });
      await expect(tryPlace(text, stranger)).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringMatching(/may not list its objects in the bucket/) as string,
      });
      await expect(tryPlace(`${text}&region=mars`)).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringMatching(/region/) as string,
      });
    });

    it("an address where nothing answers is named", async () => {
      await expect(tryPlace(`s3://${s3.bucket}?endpoint=http://127.0.0.1:1`)).rejects.toMatchObject({
        code: "UNREACHABLE",
        message: expect.stringMatching(/no answer from 127.0.0.1:1/) as string,
      });
    });
  });
});

async function uploads(place: S3TestPlace): Promise<string[]> {
  const query = { uploads: "", prefix: place.client.place.prefix };
  const { body } = await place.client.ask({ method: "GET", query });
  return elementsOf(body, "Upload");
}
