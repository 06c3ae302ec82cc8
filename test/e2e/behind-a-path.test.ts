import { readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connect, type KernelContext } from "../../customer/index.ts";
import { meet } from "../../node-client/rendezvous.ts";
import { launchBrowser } from "../support/browser.ts";
import { untilText } from "../support/pages.ts";
import { startPrefixProxy } from "../support/prefix-proxy.ts";
import { startClientProcess, temporaryDirectory, until } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

describe("[ADDR-2] behind a proxy that puts the server under a path", () => {
  it("programs, their submit socket and headless clients work", async () => {
    const server = await startTestServer();
    const proxy = await startPrefixProxy(server.url.replace("localhost", "127.0.0.1"), "/lab/hands");
    const { url } = proxy;
    const client = await startClientProcess({ url, token: server.token });
    await using hands = await connect(url, { token: server.token });
    const reference = await hands.put(crypto.getRandomValues(new Uint8Array(60_000)));
    const sizes = hands.map(
      async (ref: typeof reference, ctx: KernelContext) => (await ctx.data(ref)).length,
      [reference],
    );
    expect(await sizes).toEqual([60_000]);
    // The program submits an input after the output before, so the job uses its WebSocket.
    const outputs: number[] = [];
    let waiting = Promise.withResolvers<void>();
    const job = hands.map(
      (x: number) => x + 1,
      (async function* () {
        for (let x = 0; x < 6; x++) {
          yield x;
          await waiting.promise;
          waiting = Promise.withResolvers<void>();
        }
      })(),
    );
    for await (const { output } of job) {
      outputs.push(output as number);
      waiting.resolve();
    }
    expect(outputs).toEqual([1, 2, 3, 4, 5, 6]);
    expect(proxy.upgraded).toContain("/socket");
    expect(proxy.upgraded).toContain(`/api/jobs/${await job.id}/tasks`);
    await until(() => client.log().includes(`Connected to ${url}`));
  });

  it("the pages work: sign-in, computing in the sandbox, invitations", async () => {
    const server = await startTestServer();
    const { url } = await startPrefixProxy(server.url.replace("localhost", "127.0.0.1"), "/hands");
    const browser = await launchBrowser({ isolateSandboxes: true });
    try {
      const made = await server.api("POST", "/api/jobs", {
        kernel: { source: "export default (x) => x * x" },
        inputs: [1, 2, 3],
      });
      const missing: string[] = [];
      const page = await browser.newPage();
      page.on("response", (response) => {
        if (response.status() >= 400) missing.push(`${response.status()} ${response.url()}`);
      });
      await page.goto(`${url}/?auto=1`);
      await until(async () => {
        const job = (await server.api("GET", `/api/jobs/${made["id"]}`)) as Record<string, unknown>;
        return job["state"] === "finished";
      });
      // People and proxies may add the slash.
      const admin = await browser.newPage();
      admin.on("response", (response) => {
        if (response.status() >= 400) missing.push(`${response.status()} ${response.url()}`);
      });
      await admin.goto(`${url}/admin/`);
      await (await admin.waitForSelector("input[name=token]"))!.type(`${server.token}\n`);
      await untilText(admin, /1 client/);
      // A server inside a program has no client in one file.
      expect(missing.filter((url) => !url.endsWith("client.mjs.sha256"))).toEqual([]);
    } finally {
      await browser.close();
    }
  });

  it("invitations and the rendezvous file lead through it", async () => {
    const directory = await temporaryDirectory();
    const rendezvous = join(directory, "server.json");
    const server = await startTestServer({ publicUrl: "https://lab.example.org/hands", rendezvous });
    const { inviteUrl } = await server.api("POST", "/api/tokens", { role: "volunteer", name: "open day" });
    expect(inviteUrl).toMatch(/^https:\/\/lab\.example\.org\/hands\/\?invite=mh_v_/);
    expect(server.volunteerUrls).toEqual(["https://lab.example.org/hands"]);
    expect(server.adminUrl).toBe("https://lab.example.org/hands/admin");
    const left = JSON.parse(await readFile(rendezvous, "utf8")) as { urls: string[] };
    expect(left.urls).toContain("https://lab.example.org/hands");

    const { url } = await startPrefixProxy(server.url.replace("localhost", "127.0.0.1"), "/hands");
    const file = join(directory, "through-the-proxy.json");
    await writeFile(
      file,
      `\ufeff${JSON.stringify({ ...left, urls: [url], host: hostname(), pid: process.pid })}\r\n`,
      {
        mode: 0o600,
      },
    );
    expect(await meet(file, { waitMs: 30_000 })).toMatchObject({ url });
  });
});
