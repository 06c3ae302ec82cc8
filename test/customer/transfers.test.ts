import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../customer/connect.ts";
import type { TransferProgress } from "../../customer/blobs.ts";
import { Link, type LinkShape } from "../support/link/link.ts";
import { launcher, temporaryDirectory } from "../support/processes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { python, PythonProgram, whySkipped } from "../python/programs.ts";

const bytes = randomBytes(6_000_000);

async function linked(shape: Partial<LinkShape> = {}): Promise<{ server: TestServer; link: Link }> {
  const server = await startTestServer();
  const link = await Link.start(server.url, {
    rttMs: 20,
    upMbitPerS: 24,
    downMbitPerS: 24,
    loss: 0,
    ...shape,
  });
  onTestFinished(() => link.close());
  return { server, link };
}

async function connected(link: Link, server: TestServer): ReturnType<typeof connect> {
  const hands = await connect(link.url, { token: server.token, log: () => undefined });
  onTestFinished(() => hands.close());
  return hands;
}

describe("[TRANSFER-1] [TRANSFER-2] over a link whose connections are reset again and again", () => {
  it.each(["bytes", "a file"])("a put of %s and a get move each byte about once", async (kind) => {
    const { server, link } = await linked({ resetEveryMs: 800 });
    const hands = await connected(link, server);
    const path = join(await temporaryDirectory(), "large");
    await writeFile(path, bytes);
    const told: TransferProgress[] = [];
    const onProgress = (progress: TransferProgress): void => void told.push(progress);
    const reference = await hands.put(kind === "bytes" ? bytes : path, { onProgress });
    const { up } = await link.counts();
    expect(up).toBeLessThan(1.5 * bytes.length);
    expect(told.at(-1)).toEqual({ bytes: bytes.length, totalBytes: bytes.length });
    expect(told.length).toBeGreaterThan(2);
    told.length = 0;
    const got = await hands.get(reference, { onProgress });
    expect(Buffer.compare(got, bytes)).toBe(0);
    const { down, connections } = await link.counts();
    expect(connections).toBeGreaterThan(4);
    expect(down).toBeLessThan(1.5 * bytes.length);
    expect(told.at(-1)).toEqual({ bytes: bytes.length, totalBytes: bytes.length });
  });

  it.skipIf(python === undefined)(`a put and a get of Python, too${whySkipped}`, async () => {
    const { server, link } = await linked({ resetEveryMs: 800 });
    const program = new PythonProgram(
      [
        "-c",
        [
          "import manyhands, os",
          "with manyhands.connect() as hands:",
          "    data = os.urandom(6_000_000)",
          "    reference = hands.put(data)",
          "    assert bytes(hands.get(reference)) == data",
          "    print(reference.sha256)",
        ].join("\n"),
      ],
      { MANYHANDS_SERVER: link.url, MANYHANDS_TOKEN: server.token },
    );
    expect(await program.ends()).toMatch(/^[0-9a-f]{64}\n$/);
    const { up, down, connections } = await link.counts();
    expect(connections).toBeGreaterThan(4);
    for (const moved of [up, down]) expect(moved).toBeLessThan(1.5 * bytes.length);
  });
});

it("`manyhands put` tells on standard error how far it is", async () => {
  const { server, link } = await linked({ upMbitPerS: 6 });
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "large"), bytes);
  const put = spawn(
    process.execPath,
    [launcher, "put", "large", "--server", link.url, "--token", server.token],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const [out, err, [code]] = await Promise.all([text(put.stdout), text(put.stderr), once(put, "close")]);
  expect([code, JSON.parse(out)]).toMatchObject([0, { $ref: { size: bytes.length } }]);
  expect(err).toMatch(/^large: [\d.]+ MiB of 5\.7 MiB \(\d+%, [\d.]+ [KM]iB\/s\)\n/);
});
