import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import { submitJob } from "../support/jobs.ts";
import { startServerProcess, temporaryDirectory, type RunningServerProcess } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { readTrace, tracing, whyNotTraced, type SystemCall } from "../support/system-calls.ts";
import { skipped } from "../support/skipped.ts";

// A test cannot cut the power. The promise rests on the order of system calls, which can be observed.

const flushes = ["fsync", "fdatasync"];
const sends = ["write", "writev", "sendto", "sendmsg"];
const fileWrites = ["write", "writev", "pwrite64", "pwritev", "pwritev2"];
const names = ["mkdir", "mkdirat", "rename", "renameat", "renameat2"];
const traced = [...new Set([...flushes, ...sends, ...fileWrites, ...names])];

class Trace {
  readonly data: string;
  readonly #calls: readonly SystemCall[];

  constructor(data: string, calls: readonly SystemCall[]) {
    this.data = data;
    this.#calls = calls;
  }

  /** Calls of these names whose arguments contain all of these texts, in the order of their ends. */
  all(kinds: readonly string[], ...parts: readonly string[]): SystemCall[] {
    return this.#calls.filter(
      ({ name, args }) => kinds.includes(name) && parts.every((part) => args.includes(part)),
    );
  }

  one(kinds: readonly string[], ...parts: readonly string[]): SystemCall {
    const found = this.all(kinds, ...parts);
    expect(found, `${kinds.join(" or ")} of ${parts.join(", ")}`).not.toEqual([]);
    return found[0]!;
  }

  /** A flush of this path, all of it after `from` and before `to`. */
  flushBetween(path: string, from: SystemCall, to: SystemCall): boolean {
    return this.all(flushes, `<${path}>`).some(
      ({ start, end, result }) => result === "0" && start > from.end && end < to.start,
    );
  }

  /** The reply on a socket that contains these words. */
  reply(...words: readonly string[]): SystemCall {
    return this.one(sends, "socket:", ...words);
  }

  /** Whether the database wrote to its log before `to` (and after `from`), and has flushed the last of it. */
  committedBetween(from: SystemCall, to: SystemCall): boolean {
    const log = join(this.data, "manyhands.sqlite-wal");
    const last = this.all(fileWrites, `<${log}>`).findLast(({ end }) => end < to.start);
    return last !== undefined && last.start > from.end && this.flushBetween(log, last, to);
  }
}

/** Runs a server under the tracer; returns its system calls once it has ended. */
async function trace(work: (server: RunningServerProcess) => Promise<void>): Promise<Trace> {
  const directory = await temporaryDirectory();
  const data = join(directory, "deep", "data");
  const file = join(directory, "trace");
  const server = await startServerProcess(data, [], tracing(file, traced));
  await work(server);
  await server.terminate();
  return new Trace(data, await readTrace(file, server.process.pid!));
}

const why = whyNotTraced();

describe.skipIf(why !== undefined)(
  `told submissions and results are on disk, and survive a power cut${skipped(why !== undefined, why!)}`,
  () => {
    test("[DUR-1] [DUR-2] the log of the database is flushed between a commit and the reply that tells of it", async () => {
      const seen = await trace(async (server) => {
        const id = await submitJob(server, "export default (x) => x", [1], { name: "flushed" });
        const client = await new RawClient(server.url).join({ token: server.token });
        const { job, tasks } = await client.lease();
        expect(job).toBe(id);
        client.finish(job, tasks[0]!);
        await client.next("accepted");
      });
      const submitted = seen.reply("HTTP/1.1 201");
      const accepted = seen.reply("accepted");
      const started = seen.one(["write"], "localhost", "tokenFile");
      expect(seen.committedBetween(started, submitted)).toBe(true);
      expect(seen.committedBetween(submitted, accepted)).toBe(true);
    });

    test("[DUR-1] the folders that a data directory is made of are flushed before anything in them is told of", async () => {
      const seen = await trace(async (server) => {
        await submitJob(server, "export default (x) => x", [1]);
      });
      const submitted = seen.reply("HTTP/1.1 201");
      for (const made of [seen.data, join(seen.data, "..")])
        expect(seen.flushBetween(join(made, ".."), seen.one(names, `"${made}"`), submitted)).toBe(true);
      const database = seen.one(fileWrites, "manyhands.sqlite>");
      expect(seen.flushBetween(seen.data, database, submitted)).toBe(true);
    });

    test("[DATA-5] a blob has its name when its bytes are flushed, and is told of when its name is", async () => {
      const bytes = randomBytes(1_500_000);
      const sha256 = sha256Hex(bytes);
      const seen = await trace(async (server) => {
        const response = await fetch(`${server.url}/api/blobs/${sha256}`, {
          method: "PUT",
          headers: { authorization: `Bearer ${server.token}` },
          body: bytes,
        });
        expect(response.status).toBe(201);
      });
      const blobs = join(seen.data, "blobs");
      const folder = join(blobs, sha256.slice(0, 2));
      const named = seen.one(names, `"${join(folder, sha256)}"`);
      const incoming = /"([^"]+)"/.exec(named.args)![1]!;
      const written = seen.all(fileWrites, `<${incoming}>`);
      expect(written.reduce((sum, { result }) => sum + Number(result), 0)).toBe(bytes.length);
      expect(written.every((call) => call.end < named.start)).toBe(true);
      expect(seen.flushBetween(incoming, written.at(-1)!, named)).toBe(true);

      const told = seen.reply("HTTP/1.1 201");
      expect(seen.flushBetween(folder, named, told)).toBe(true);
      expect(seen.flushBetween(blobs, seen.one(names, `"${folder}"`), told)).toBe(true);
      expect(seen.flushBetween(seen.data, seen.one(names, `"${blobs}"`), told)).toBe(true);
      expect(seen.committedBetween(written.at(-1)!, told)).toBe(true);
    });
  },
);
