import { execFileSync } from "node:child_process";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory, until } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

/** A file system of its own, of a few megabytes; undefined where this user may not mount one. */
async function smallDisk(): Promise<string | undefined> {
  const directory = await temporaryDirectory();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=6m", "tmpfs", directory], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["--lazy", directory]));
  return directory;
}

async function healthOf(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/healthz`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const becomes = (url: string, status: number) =>
  until(async () => {
    const health = await healthOf(url);
    return health.status === status ? health : undefined;
  });

describe("[HEALTH-1] /healthz", () => {
  test("says that the disk is full, and is well again when there is room", async ({ skip }) => {
    const disk = await smallDisk();
    if (disk === undefined) return skip("this user may not mount a small disk");
    const server = await startTestServer({ dataDirectory: join(disk, "data") });
    expect((await healthOf(server.url)).status).toBe(200);
    const ballast = join(disk, "ballast");
    await writeFile(ballast, new Uint8Array(8 * 1024 ** 2)).catch(() => undefined);
    const full = await becomes(server.url, 503);
    expect(full.body).toMatchObject({
      status: "failing",
      code: "STORE_FULL",
      message: expect.stringContaining("full"),
      remedy: expect.stringContaining("Free disk space"),
    });
    // The caller may be a stranger.
    expect(JSON.stringify(full.body)).not.toContain(disk);
    await rm(ballast);
    expect((await becomes(server.url, 200)).body).toMatchObject({ status: "ok" });
  });

  test("says that the data directory is gone, or another one", async () => {
    const dataDirectory = join(await temporaryDirectory(), "data");
    const server = await startTestServer({ dataDirectory });
    expect((await healthOf(server.url)).status).toBe(200);
    const aside = `${dataDirectory}-aside`;
    await rename(dataDirectory, aside);
    const gone = await becomes(server.url, 503);
    expect(gone.body).toMatchObject({
      code: "DATA_DIRECTORY",
      remedy: expect.stringContaining("start the server"),
    });
    await rename(aside, dataDirectory);
    await becomes(server.url, 200);
    await rm(join(dataDirectory, "manyhands.sqlite"));
    await becomes(server.url, 503);
  });
});
