import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { BlobDirectory } from "../../server/blobs/directory.ts";
import { chunkDigests } from "../support/chunks.ts";
import { blobContract } from "../contract/blobs.ts";
import { ada, BlobWorld, content, keepMs, stream, type BlobPlace } from "../contract/blob-harness.ts";

async function openPlace(isShared: boolean): Promise<BlobPlace & { readonly root: string }> {
  const parent = await mkdtemp(join(tmpdir(), "manyhands-blobs-"));
  const root = join(parent, "blobs");
  return {
    root,
    backend: () => new BlobDirectory(root, isShared),
    async everything() {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile() && entry.name !== "alive").map(({ name }) => name);
    },
    async damage(sha256, bytes) {
      const path = join(root, sha256.slice(0, 2), sha256);
      await (bytes ? writeFile(path, bytes) : rm(path));
    },
    close: () => rm(parent, { recursive: true }),
  };
}

blobContract("a directory of one server", {
  isShared: false,
  verifiesItself: false,
  rounds: 60,
  open: () => openPlace(false),
});
blobContract("a directory of several servers", {
  isShared: true,
  verifiesItself: false,
  rounds: 60,
  open: () => openPlace(true),
});

async function openWorld(isShared: boolean): Promise<{ root: string; world: BlobWorld }> {
  const place = await openPlace(isShared);
  const world = await BlobWorld.open(async () => place);
  onTestFinished(() => world.close());
  return { root: place.root, world };
}

describe("a directory of one server", () => {
  let root: string;
  let world: BlobWorld;
  beforeEach(async () => {
    ({ root, world } = await openWorld(false));
  });

  it("[DATA-3] goes through more blobs than one step of a collection takes", async () => {
    for (let n = 0; n < 1100; n++) {
      const one = content(8);
      await mkdir(join(root, one.sha256.slice(0, 2)), { recursive: true });
      await writeFile(join(root, one.sha256.slice(0, 2), one.sha256), one.bytes);
    }
    await world.blobs.check();
    world.now += keepMs + 1;
    expect(await world.blobs.collect()).toEqual({ removed: 1100, bytes: 8800 });
    expect(await world.isEmpty()).toBe(true);
  });

  it("[DATA-5] removes uploads that were under way when the server died", async () => {
    await writeFile(join(root, "incoming", "half"), "half");
    world.server();
    expect(await world.isEmpty()).toBe(true);
  });

  it("leaves files alone that are not blobs", async () => {
    await mkdir(join(root, "ab"));
    await writeFile(join(root, "ab", "README"), "mine");
    await writeFile(join(root, "notes"), "mine");
    expect(await world.blobs.check()).toMatchObject({ adopted: 0 });
    expect(await readFile(join(root, "notes"), "utf8")).toBe("mine");
  });

  it("[ROT-4] loses damaged digests of chunks when the blob is verified, and computes them again", async () => {
    const one = content(3000);
    await world.put(one);
    await world.blobs.chunkDigests(one.sha256);
    await writeFile(join(root, one.sha256.slice(0, 2), `${one.sha256}.chunks`), new Uint8Array(32));
    expect(await world.blobs.verify(one.sha256)).toBe("sound");
    expect((await world.blobs.chunkDigests(one.sha256))?.equals(chunkDigests(one.bytes))).toBe(true);
  });

  it("refuses a directory that is a file", async () => {
    await writeFile(`${root}-file`, "");
    expect(() => new BlobDirectory(`${root}-file`, false)).toThrow(/cannot be written/);
  });
});

describe("[BLOB-2] a directory of several servers: what a dead server left", () => {
  const longAgo = new Date(Date.now() - 25 * 3_600_000);

  it("is removed a day after its last sign of life, and a blob that it was removing comes back", async () => {
    const { root, world } = await openWorld(true);
    const one = content(100);
    const leave = async (name: string): Promise<string> => {
      const folder = join(root, "incoming", name);
      await mkdir(folder);
      await writeFile(join(folder, "half"), "half");
      await writeFile(join(folder, "alive"), "");
      return folder;
    };
    const [dead, recent] = [await leave("dead"), await leave("recent")];
    await mkdir(join(root, one.sha256.slice(0, 2)), { recursive: true });
    await writeFile(join(dead, `${one.sha256}.aside`), one.bytes);
    await utimes(join(dead, "alive"), longAgo, longAgo);
    await world.blobs.collect();
    expect(await readdir(join(root, "incoming"))).not.toContain("dead");
    expect(await readdir(recent)).toContain("half");
    await world.blobs.check();
    expect((await world.read(one.sha256)).equals(one.bytes)).toBe(true);
  });

  it("a server that slept for days shows life again, and stores what comes", async () => {
    const { root, world } = await openWorld(true);
    const sleeper = world.server();
    const folders = (await readdir(join(root, "incoming"))).map((name) => join(root, "incoming", name));
    for (const folder of folders) await utimes(join(folder, "alive"), longAgo, longAgo);
    await world.blobs.collect();
    expect(await readdir(join(root, "incoming"))).toHaveLength(1);
    await sleeper.collect();
    const one = content(10);
    expect(await sleeper.write(one.sha256, stream(one), ada)).toMatchObject({ created: true });
  });
});
