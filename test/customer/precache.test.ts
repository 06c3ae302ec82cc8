import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect, DataReference, type Hands, type PrecacheProgress } from "../../parallel/index.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start();
  hands = await platform.connect();
});
afterAll(() => platform.close());

let salt = 0;
let refs: DataReference[];
beforeEach(async () => {
  const bytes = () => new Uint8Array(100_000).fill(++salt);
  refs = [await hands.put(bytes()), await hands.put(bytes())];
});

const all = { done: true, bytes: 200_000, clients: 1, have: 1, short: 0, haveBytes: 200_000, problems: [] };

describe("[PRECACHE-1] hands.precache", () => {
  it("is awaited until every client has it; once more it costs nothing", async () => {
    const seen: PrecacheProgress[] = [];
    const end = await hands.precache(refs, { onProgress: (progress) => seen.push(progress) });
    expect(end).toMatchObject(all);
    expect(seen.at(-1)).toEqual(end);
    expect(await hands.precache(new Set([...refs, refs[0]!.slice(5, 10)]))).toMatchObject(all);
  });

  it("rejects with the reason: a missing blob, no references, a signal", async () => {
    const [ref] = refs as [DataReference];
    const unknown = new DataReference("0".repeat(64) as DataReference["sha256"], 99);
    await expect(hands.precache([ref, unknown])).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(hands.precache([])).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    const given = new AbortController();
    const waiting = hands.precache(ref, { atLeast: 5, signal: given.signal });
    given.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(hands.precache(ref, { signal: given.signal })).rejects.toThrow("enough");
  });

  it("pauses, goes on, and stops with the cached bytes", async () => {
    const precaching = hands.precache(refs, { atLeast: 2 });
    await expect.poll(() => precaching.progress?.have).toBe(1);
    precaching.pause();
    const other = hands.precache(refs, { stay: true });
    expect(await other).toMatchObject(all);
    precaching.resume();
    precaching.stop();
    expect(await precaching).toMatchObject({ done: false, have: 1 });
    other.stop();
    const begunPaused = hands.precache(refs);
    begunPaused.pause();
    begunPaused.resume();
    expect(await begunPaused).toMatchObject(all);
  });

  it("is asked again of a server that restarts", async () => {
    const precaching = hands.precache(refs, { stay: true });
    expect(await precaching).toMatchObject(all);
    const cache = join(platform.directory, "cache", "blobs");
    await platform.restart(() => rm(cache, { recursive: true }));
    // No other client asks for these.
    for (const { sha256, size } of refs)
      await expect.poll(async () => (await stat(join(cache, sha256.slice(0, 2), sha256))).size).toBe(size);
    await expect.poll(() => precaching.progress).toMatchObject(all);
    precaching.stop();
  });

  it("is there at once under threads, where data is as near as it gets", async () => {
    for (const spec of ["thread:1", `thread:1:${await temporaryDirectory()}`]) {
      await using threads = await connect(spec);
      const ref = await threads.put(new Uint8Array(9_000_000));
      expect(await threads.precache([ref, ref.slice(1, 2)])).toMatchObject({
        done: true,
        bytes: 9_000_000,
        clients: 1,
        have: 1,
      });
    }
  });
});
