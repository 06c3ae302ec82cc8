import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { connect } from "../../customer/index.ts";
import type { JobDescriptor } from "../../shared/wire/protocol.ts";
import { createSigningKey, publicFileOf, readSigningKey } from "../../signing/keys.ts";
import { run, startClientProcess, temporaryDirectory } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";
import { startTakenOverServer } from "../support/taken-over-server.ts";

async function keyFile(name: string): Promise<string> {
  const file = join(await temporaryDirectory(), "key");
  createSigningKey(file, name);
  return file;
}

const trusting = (key: string): string[] => ["--trust-key", publicFileOf(key)];

test("[SIGN-1] [SIGN-2] from the shell: key create, map --sign-key, client --trust-key", async () => {
  const server = await startTestServer();
  const directory = await temporaryDirectory();
  const key = join(directory, "ada.key");
  const made = run(["key", "create", "--name", "Ada Lovelace", "--out", key]);
  expect(await made.ended).toBe(0);
  expect(made.output()).toContain("signs as Ada Lovelace");
  const shown = run(["key", "show", key]);
  expect(await shown.ended).toBe(0);
  expect(shown.output()).toBe(await readFile(publicFileOf(key), "utf8"));
  const kernel = join(directory, "square.ts");
  await writeFile(kernel, "export default (x: number) => x * x;\n");
  const client = await startClientProcess(server, trusting(key));
  const where = ["--server", server.url, "--token", server.token];
  const mapped = run(["map", kernel, "--range", "0:3", "--ordered", "--quiet", "--sign-key", key, ...where]);
  expect(await mapped.ended).toBe(0);
  const outputs = mapped.output().trim().split("\n");
  expect(outputs.map((line) => (JSON.parse(line) as { output: number }).output)).toEqual([0, 1, 4]);
  expect(client.log()).toContain("Only kernels signed by Ada Lovelace run here.");
});

test("[SIGN-2] a client with keys is not given other jobs; other clients compute them, and nothing fails", async () => {
  const server = await startTestServer();
  const [ada, eve] = [await keyFile("Ada"), await keyFile("Eve")];
  await using unsigned = await connect(server.url, { token: server.token });
  await using signed = await connect(server.url, { token: server.token, signingKey: ada });
  await using foreign = await connect(server.url, { token: server.token, signingKey: eve });
  await startClientProcess(server, [...trusting(ada), "--name", "careful"]);
  const waiting = [unsigned, foreign].map((hands) =>
    hands.map((x: number) => x + 1, [1, 2], { priority: 9 }),
  );
  await Promise.all(waiting.map((job) => job.submitted));
  expect(await signed.map((x: number) => x * 2, [1, 2, 3])).toEqual([2, 4, 6]);
  for (const job of waiting) expect((await job.status()).counts).toMatchObject({ queued: 2, failed: 0 });
  await startClientProcess(server, ["--name", "careless"]);
  for (const job of waiting) expect(await job).toEqual([2, 3]);
  const clients = await signed.clients();
  expect(clients.map(({ name, done, failed }) => ({ name, done, failed }))).toEqual(
    expect.arrayContaining([
      { name: "careful", done: 3, failed: 0 },
      { name: "careless", done: 4, failed: 0 },
    ]),
  );
});

describe("[SIGN-2] of a server that was taken over a client runs", () => {
  const attacks: [string, (job: JobDescriptor, eve: string) => JobDescriptor, RegExp][] = [
    ["nothing that is not signed", (job) => ({ ...job, signature: undefined }), /The kernel is not signed/],
    [
      "nothing of another signer with the same name",
      (job, eve) => ({ ...job, signature: readSigningKey(eve).sign(job.kernel.sha256) }),
      /signed by a key that is not trusted here/,
    ],
    [
      "no other kernel under a signature of this one",
      (job, eve) => ({
        ...job,
        signature: { ...readSigningKey(eve).sign(job.kernel.sha256), key: job.signature!.key },
      }),
      /signature of the kernel is wrong/,
    ],
  ];
  test.each(attacks)("%s", async (_, tamper, message) => {
    const server = await startTestServer();
    const [ada, eve] = [await keyFile("Ada"), await keyFile("Ada")];
    const url = await startTakenOverServer(server.url, (job) => tamper(job, eve));
    await startClientProcess({ url, token: server.token }, trusting(ada));
    await using hands = await connect(server.url, { token: server.token, signingKey: ada });
    const job = hands.map(() => "ran", [1], { maxAttempts: 1 });
    await expect(job).rejects.toThrow(message);
    expect((await job.status()).failures[0]).toMatchObject({ index: 0 });
  });

  test("signed kernels, all the same", async () => {
    const server = await startTestServer();
    const ada = await keyFile("Ada");
    const url = await startTakenOverServer(server.url, (job) => job);
    await startClientProcess({ url, token: server.token }, trusting(ada));
    await using hands = await connect(server.url, { token: server.token, signingKey: ada });
    expect(await hands.map(() => "ran", [1])).toEqual(["ran"]);
    await using unsigned = await connect(server.url, { token: server.token });
    // The proxy hides the keys, so the server leases the task, and the client is the one that refuses it.
    await expect(unsigned.map(() => "ran, too", [1], { maxAttempts: 1 })).rejects.toThrow(/not signed/);
  });
});

test("[SIGN-1] the server refuses a signature that is not of the kernel; [SIGN-3] a client without usable keys does not start", async () => {
  const server = await startTestServer();
  const ada = readSigningKey(await keyFile("Ada"));
  const signature = { ...ada.sign("0".repeat(64) as never) };
  const refused = await server.api("POST", "/api/jobs", {
    kernel: { source: "export default x => x" },
    signature,
  });
  expect(refused).toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining("signature") });
  const client = run(["client", "--server", server.url, "--trust-key", "/nowhere/key.pub"]);
  expect(await client.ended).toBe(2);
  expect(client.log()).toContain("/nowhere/key.pub cannot be read");
});
