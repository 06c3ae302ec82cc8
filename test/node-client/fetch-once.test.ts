import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdir, rm, writeFile, mkdir } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { breakIfDead, tryLock } from "../../node-client/fetch-lock.ts";
import { temporaryDirectory, until } from "../support/processes.ts";

describe("[CACHE-1] clients of one cache directory", () => {
  it("that want the same blobs at the same time fetch each once", async () => {
    const blobs = Array.from({ length: 6 }, (_, at) => randomBytes(50_000 + at));
    // The server answers late, so that the clients ask for a blob while another client fetches it.
    const server = await blobServer(blobs, (answer) => setTimeout(answer, 200));
    const directory = await temporaryDirectory();
    const clients = await Promise.all([1, 2, 3, 4].map(() => client(server.url, directory, blobs)));
    for (const one of clients) one.go();
    await Promise.all(clients.map(({ exited }) => exited));
    for (const one of clients) expect(one.output()).toContain(`got ${blobs.map(hashOf).join(",")}`);
    expect([...server.requests].sort()).toEqual(blobs.map(hashOf).sort());
    expect(await readdir(join(directory, "partial"))).toEqual([]);
  });

  it("take over from one that is killed in mid-transfer", async () => {
    const blob = randomBytes(10_000);
    let answers = 0;
    // The first request never gets an answer.
    const server = await blobServer([blob], (answer) => void (answers++ > 0 && answer()));
    const directory = await temporaryDirectory();
    const doomed = await client(server.url, directory, [blob]);
    doomed.go();
    await until(() => server.requests.length === 1);
    const other = await client(server.url, directory, [blob]);
    other.go();
    await until(async () => (await locksIn(directory)).length === 1);
    expect(server.requests).toHaveLength(1);
    doomed.kill();
    await other.exited;
    expect(other.output()).toContain(`got ${hashOf(blob)}`);
    expect(server.requests).toHaveLength(2);
  });

  it("take over when the fetch of the first fails", async () => {
    const blob = randomBytes(10_000);
    let answers = 0;
    const server = await blobServer([blob], (answer, response) =>
      answers++ === 0 ? setTimeout(() => response.destroy(), 200) : answer(),
    );
    const directory = await temporaryDirectory();
    const clients = await Promise.all([1, 2].map(() => client(server.url, directory, [blob])));
    for (const one of clients) one.go();
    await Promise.all(clients.map(({ exited }) => exited));
    expect(clients.filter((one) => one.output().includes(hashOf(blob)))).toHaveLength(1);
    expect(server.requests).toHaveLength(2);
  });
});

describe("lock of a fetch", () => {
  it("is one's at a time, and the next one's when it is released", async () => {
    const path = join(await temporaryDirectory(), "x.lock");
    const lock = tryLock(path);
    expect(tryLock(path)).toBeUndefined();
    lock!.release();
    expect(tryLock(path)).toBeDefined();
  });

  it("of another host is broken only when its file did not change for ten seconds of one's own clock", async () => {
    const path = join(await temporaryDirectory(), "x.lock");
    await writeFile(path, "elsewhere 1 0.5");
    const watch = { mtimeMs: 0, since: 0 };
    await breakIfDead(path, watch, 1_000);
    await breakIfDead(path, watch, 10_999);
    expect(tryLock(path)).toBeUndefined();
    await breakIfDead(path, watch, 11_000);
    expect(tryLock(path)).toBeDefined();
  });

  it("that was broken and taken by another process is not released by the first", async () => {
    const path = join(await temporaryDirectory(), "x.lock");
    const first = tryLock(path);
    await rm(path);
    await writeFile(path, `${hostname()} ${process.pid} other`);
    first!.release();
    expect(tryLock(path)).toBeUndefined();
  });

  it("that was broken and taken again by the same process is not released by the first holder", async () => {
    const path = join(await temporaryDirectory(), "x.lock");
    const first = tryLock(path);
    await rm(path);
    expect(tryLock(path)).toBeDefined();
    first!.release();
    expect(tryLock(path)).toBeUndefined();
  });

  it("can be made after all that is old in its directory was removed", async () => {
    const directory = await temporaryDirectory();
    tryLock(join(directory, "x.lock"))!.release();
    for (const name of await readdir(directory)) await rm(join(directory, name));
    expect(tryLock(join(directory, "x.lock"))).toBeDefined();
    expect(tryLock(join(directory, "x.lock"))).toBeUndefined();
  });

  it("cannot be made where the directory is missing: an error, and no waiting", async () => {
    expect(() => tryLock("/nowhere/x.lock")).toThrow(/ENOENT/);
  });
});

async function locksIn(directory: string): Promise<string[]> {
  return (await readdir(join(directory, "partial"))).filter((name) => name.endsWith(".lock"));
}

type Answer = (answer: () => void, response: ServerResponse) => unknown;

async function blobServer(
  blobs: readonly Buffer[],
  how: Answer,
): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const name = new URL(request.url!, "http://client").pathname.split("/").at(-1)!;
    requests.push(name);
    how(() => response.end(blobs.find((blob) => hashOf(blob) === name)), response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

interface FetchingClient {
  readonly exited: Promise<unknown>;
  go(): void;
  kill(): void;
  output(): string;
}

async function client(url: string, directory: string, blobs: readonly Buffer[]): Promise<FetchingClient> {
  await mkdir(directory, { recursive: true });
  const script = join(import.meta.dirname, "fetching-client.ts");
  const names = blobs.map((blob) => `${hashOf(blob)}:${blob.length}`);
  const child = spawn(process.execPath, [script, url, directory, ...names], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = once(child, "close");
  await until(() => output.includes("ready"));
  return {
    exited,
    go: () => child.stdin.write("go\n"),
    kill: () => void child.kill("SIGKILL"),
    output: () => output,
  };
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
