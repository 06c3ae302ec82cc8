import { fork } from "node:child_process";
import { once } from "node:events";
import { readdir, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { claimClientDirectory, type ClientDirectory } from "../../node-client/client-directory.ts";
import { createDiskOutbox } from "../../node-client/disk-outbox.ts";
import type { OutboxEntry } from "../../shared/client/ports.ts";
import type { JobId, Sha256 } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import { makeIdentity } from "../support/identity.ts";
import { temporaryDirectory } from "../support/processes.ts";

const job = "j_abcdefghij234567" as JobId;

describe("disk outbox", () => {
  it("[OUTBOX-1] keeps results until they are removed, across a restart as the same client", async () => {
    const directory = await temporaryDirectory();
    const first = open(directory);
    await first.outbox.save([entry(1), entry(2), entry(3)]);
    await first.outbox.remove([key(2)]);
    const identity = makeIdentity();
    first.claimed.keep(["http://lab.test/"], identity);
    first.close();
    const second = open(directory);
    expect(second.claimed.kept(["http://lab.test/"]).identity).toEqual(identity);
    expect(await second.outbox.load()).toEqual([entry(1), entry(3)]);
  });

  it("[TRUST-1] shows an identity to the server alone that gave it, and keeps it from other users", async () => {
    const directory = await temporaryDirectory();
    const { claimed } = open(directory);
    const identity = makeIdentity();
    claimed.keep(["http://lab.test/"], identity);
    expect(claimed.kept(["http://other.test/"]).identity).toBeUndefined();
    for (const name of await readdir(join(directory, "clients", "1")))
      expect((await stat(join(directory, "clients", "1", name))).mode & 0o077, name).toBe(0);
  });

  it("[SERVERS-1] [SERVERS-3] keeps the addresses, the newest first, whichever of them the client is started with", async () => {
    const directory = await temporaryDirectory();
    const [a, b, c, d] = ["http://a/", "http://b/", "http://c/", "http://d/"] as const;
    const identity = makeIdentity();
    const first = open(directory);
    expect(first.claimed.kept([a, b])).toEqual({ servers: [], identity: undefined });
    first.claimed.keep([a, b, c], identity);
    first.claimed.keep([c, a, b], identity);
    first.claimed.keep([d], makeIdentity());
    first.close();
    const { claimed } = open(directory);
    for (const started of [a, c]) expect(claimed.kept([started])).toEqual({ servers: [c, a, b], identity });
    // A server that was only named has no identity, so that no other server can replace the identity that it gave.
    expect(claimed.kept([b])).toEqual({ servers: [], identity: undefined });
    expect(claimed.kept([b, c])).toEqual({ servers: [c, a, b], identity });
  });

  it("a result saved again stands once, with its newest content", async () => {
    const { outbox } = open(await temporaryDirectory());
    await outbox.save([entry(1, 10)]);
    await outbox.save([entry(1, 20)]);
    expect(await outbox.load()).toEqual([entry(1, 20)]);
  });

  it("keeps outputs of any size", async () => {
    const directory = await temporaryDirectory();
    const { outbox, close } = open(directory);
    await outbox.save([entry(1, 5_000_000)]);
    close();
    const [kept] = await open(directory).outbox.load();
    expect(kept).toEqual(entry(1, 5_000_000));
  });

  it("large outputs are files that last as long as their results, and one that was left or damaged is dropped", async () => {
    const directory = await temporaryDirectory();
    const { outbox, close } = open(directory);
    const files = (client = "1") => readdir(join(directory, "clients", client, "outputs"));
    const large = 300_000;
    await outbox.save([entry(1, large), entry(2), entry(3, large), entry(4, large)]);
    expect(await files()).toHaveLength(3);
    // The server has the output, and the result names it.
    await outbox.save([entry(1)]);
    expect(await files()).toHaveLength(2);
    await outbox.remove([key(3)]);
    const [name = ""] = await files();
    const path = join(directory, "clients", "1", "outputs", name);
    expect((await stat(path)).size).toBe(large);
    await writeFile(join(path, "..", "left"), "");
    close();
    await truncate(path, large / 2);
    await truncate(path, large);
    const again = open(directory);
    expect(await again.outbox.load()).toEqual([entry(1), entry(2)]);
    expect(again.warnings).toHaveLength(1);
    expect(await files()).toEqual([]);
  });

  it("a large output keeps the blobs that it names", async () => {
    const directory = await temporaryDirectory();
    const { outbox, close } = open(directory);
    const { result } = entry(1, 300_000);
    const refs = [{ sha256: "a".repeat(64) as Sha256, size: 5 }];
    const naming = { job, result: { ...result, outcome: { ...result.outcome, refs } } } as OutboxEntry;
    await outbox.save([naming]);
    close();
    expect(await open(directory).outbox.load()).toEqual([naming]);
  });

  it("two clients at once on one directory are two clients, each with results of its own", async () => {
    const directory = await temporaryDirectory();
    const one = open(directory);
    const other = open(directory);
    one.claimed.keep(["http://lab.test/"], makeIdentity());
    expect(other.claimed.kept(["http://lab.test/"]).identity).toBeUndefined();
    await one.outbox.save([entry(1)]);
    await other.outbox.save([entry(2)]);
    expect(await one.outbox.load()).toEqual([entry(1)]);
    expect(await other.outbox.load()).toEqual([entry(2)]);
  });

  it("[OUTBOX-1] a client killed in mid-work leaves its results and its identity to the next", async () => {
    const directory = await temporaryDirectory();
    const holder = fork(join(import.meta.dirname, "outbox-holder.ts"), [directory], {
      serialization: "advanced",
    });
    onTestFinished(() => void holder.kill("SIGKILL"));
    const [identity] = (await once(holder, "message")) as [Identity];
    expect(open(directory).claimed.kept(["http://lab.test/"]).identity).toBeUndefined();
    holder.kill("SIGKILL");
    await once(holder, "exit");
    const after = open(directory);
    expect(after.claimed.kept(["http://lab.test/"]).identity).toEqual(identity);
    expect(await after.outbox.load()).toEqual([entry(7)]);
  });

  it("delivers for a client that has been gone for a while, once", async () => {
    const directory = await temporaryDirectory();
    const stays = open(directory);
    const goes = open(directory);
    await goes.outbox.save([entry(5), entry(6, 300_000)]);
    goes.close();
    expect(await stays.outbox.load()).toEqual([]);
    for (const name of await readdir(join(directory, "clients", "2")))
      await utimes(join(directory, "clients", "2", name), 1000, 1000);
    expect(await stays.outbox.load()).toEqual([entry(5), entry(6, 300_000)]);
    expect(await open(directory).outbox.load()).toEqual([]);
    expect(await stays.outbox.load()).toEqual([entry(5), entry(6, 300_000)]);
  });

  it("keeps no more than it may, says so, and has room again when something was delivered", async () => {
    const { outbox, warnings } = open(await temporaryDirectory(), 2500);
    const kept = async (): Promise<number[]> => (await outbox.load()).map(({ result }) => result.index);
    await outbox.save([entry(1, 1000), entry(2, 1000), entry(3, 1000)]);
    expect(warnings).toHaveLength(1);
    await outbox.remove([key(1)]);
    await outbox.save([entry(3, 1000)]);
    expect(await kept()).toEqual([2, 3]);
    // Entries that are read again, as by a restarted client, are counted once.
    await outbox.remove([key(2)]);
    await outbox.save([entry(4, 1000)]);
    expect(await kept()).toEqual([3, 4]);
    expect(warnings).toHaveLength(1);
  });

  it("drops a damaged entry with a line in the log, and keeps the others", async () => {
    const { claimed, outbox, warnings } = open(await temporaryDirectory());
    await outbox.save([entry(1), entry(2)]);
    claimed.database
      .prepare("UPDATE outbox SET entry = ? WHERE key = ?")
      .run(new Uint8Array([0xc1]), `${job} 1 1`);
    expect(await outbox.load()).toEqual([entry(2)]);
    expect(warnings).toHaveLength(1);
    expect(await outbox.load()).toEqual([entry(2)]);
    expect(warnings).toHaveLength(1);
  });

  it("sets a damaged file aside and goes on as a new client", async () => {
    const directory = await temporaryDirectory();
    const first = open(directory);
    await first.outbox.save([entry(1)]);
    first.close();
    await writeFile(join(directory, "clients", "1", "client.sqlite"), "not a database at all ".repeat(1000));
    const second = open(directory);
    expect(second.warnings).toHaveLength(1);
    expect(await second.outbox.load()).toEqual([]);
    await second.outbox.save([entry(2)]);
    expect(await second.outbox.load()).toEqual([entry(2)]);
  });
});

interface Opened {
  readonly claimed: ClientDirectory;
  readonly outbox: ReturnType<typeof createDiskOutbox>;
  readonly warnings: string[];
  readonly close: () => void;
}

function open(directory: string, maxBytes?: number): Opened {
  const warnings: string[] = [];
  const log = (level: string, message: string): void => {
    if (level === "warn") warnings.push(message);
  };
  const claimed = claimClientDirectory(directory, log);
  let closed = false;
  const close = (): void => {
    if (!closed) claimed.close();
    closed = true;
  };
  onTestFinished(close);
  return { claimed, outbox: createDiskOutbox(claimed, log, maxBytes), warnings, close };
}

function entry(index: number, size = 3): OutboxEntry {
  return {
    job,
    result: {
      index,
      attempt: 1,
      elapsedMs: 1.5,
      outcome: { state: "done", output: new Uint8Array(size).fill(index) },
    },
  };
}

function key(index: number): { job: JobId; index: number; attempt: number } {
  return { job, index, attempt: 1 };
}
