import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { meet } from "../../node-client/rendezvous.ts";
import { parseRendezvous } from "../../shared/wire/rendezvous.ts";
import { readClients } from "../support/jobs.ts";
import { run, startServerProcess, temporaryDirectory, until } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

describe("[RDV-1] a server's rendezvous file", () => {
  it("is private, whole, and removed when the server stops; the token outlives a restart", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "rendezvous.json");
    const data = join(directory, "data");
    const server = await startTestServer({ dataDirectory: data, rendezvous: file });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const first = parseRendezvous(await readFile(file, "utf8"), file);
    expect(first).toMatchObject({ urls: [server.url], host: hostname(), pid: process.pid });
    expect(await meet(file, { waitMs: 0 })).toEqual({ url: server.url, token: first.token });
    await server.close();
    await expect(stat(file)).rejects.toThrow(/ENOENT/);
    await startTestServer({ dataDirectory: data, rendezvous: file });
    const second = parseRendezvous(await readFile(file, "utf8"), file);
    expect(second.token).toBe(first.token);
    expect(second.start).not.toBe(first.start);
  });

  it("of a newer server is left alone by the one that stops", async () => {
    const file = join(await temporaryDirectory(), "rendezvous.json");
    const old = await startTestServer({ rendezvous: file });
    const newer = await startTestServer({ rendezvous: file });
    await old.close();
    expect((await meet(file, { waitMs: 0 })).url).toBe(newer.url);
  });

  it("takes the place of no other file", async () => {
    const directory = await temporaryDirectory();
    const [text, empty, pipe] = ["thesis.txt", "empty", "pipe"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    await Promise.all([writeFile(text, "Chapter 1"), writeFile(empty, "")]);
    execFileSync("mkfifo", [pipe]);
    for (const file of [text, pipe, directory])
      await expect(startTestServer({ rendezvous: file })).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringMatching(/is no rendezvous file/) as string,
      });
    expect(await readFile(text, "utf8")).toBe("Chapter 1");
    expect((await stat(pipe)).isFIFO()).toBe(true);
    await startTestServer({ rendezvous: empty });
    expect(await meet(empty, { waitMs: 0 })).toBeDefined();
  });

  it("that cannot be written refuses the start", async () => {
    const file = join(await temporaryDirectory(), "missing", "rendezvous.json");
    await expect(startTestServer({ rendezvous: file })).rejects.toMatchObject({
      code: "BAD_OPTION",
      message: expect.stringMatching(/rendezvous file .* cannot be written: ENOENT/),
    });
  });
});

describe("[RDV-2] a client", () => {
  it("that comes first waits for the file and joins, trusted, without being told address or token", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "rendezvous.json");
    // The client must ignore a token in the environment, which is of another server.
    const client = run(["client", "--rendezvous", file, "--cache-dir", directory, "--slots", "1"], {
      MANYHANDS_TOKEN: "mh_c_elsewhere",
    });
    await until(() => /Waiting for a server: there is no/.test(client.log()));
    const server = await startServerProcess(join(directory, "data"), [
      "--rendezvous",
      file,
      "--volunteers",
      "off",
    ]);
    const joined = await until(async () => (await readClients(server))[0]);
    expect(joined).toMatchObject({ trusted: true, connected: true });
  });

  it("waits past the file of a server that was killed, and takes the next one's", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "rendezvous.json");
    const dead = await startServerProcess(join(directory, "data"), ["--rendezvous", file]);
    await dead.kill();
    const reasons: string[] = [];
    const met = meet(file, { waitMs: 30_000, log: (reason) => reasons.push(reason) });
    await until(() => reasons.length > 0);
    expect(reasons[0]).toMatch(/is of a server that is gone \(process \d+/);
    const next = await startServerProcess(join(directory, "other"), ["--rendezvous", file]);
    expect((await met).url).toBe(next.url);
  });

  it("recognises a file that another server has outlived by its token, and silence by its address", async () => {
    const server = await startTestServer();
    const file = join(await temporaryDirectory(), "rendezvous.json");
    await writeFile(file, text({ urls: [server.url] }), { mode: 0o600 });
    await expect(meet(file, { waitMs: 0 })).rejects.toThrow(/another server answers.*out of date/);
    await writeFile(file, text({ urls: ["http://127.0.0.1:1"] }));
    await expect(meet(file, { waitMs: 0 })).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringMatching(/nobody answers at http:\/\/127.0.0.1:1/),
    });
  });

  it("tries every address of the server", async () => {
    const file = join(await temporaryDirectory(), "rendezvous.json");
    const server = await startTestServer({ rendezvous: file });
    const written = parseRendezvous(await readFile(file, "utf8"), file);
    await writeFile(file, JSON.stringify({ ...written, urls: ["http://127.0.0.1:1", ...written.urls] }));
    expect((await meet(file, { waitMs: 0 })).url).toBe(server.url);
  });

  it.each([
    ["{", /it is no JSON/],
    [text({ urls: [] }), /"urls" is not as expected/],
    [text({ urls: ["ftp://x"] }), /"urls.0" is not as expected/],
    [text({ manyhands: 2 }), /"manyhands" is not as expected/],
    [text({ token: "" }), /"token" is not as expected/],
    [" ".repeat(70_000), /more than 65536 bytes/],
  ])("refuses what is no rendezvous file: %.20s", async (content, reason) => {
    const file = join(await temporaryDirectory(), "rendezvous.json");
    await writeFile(file, content, { mode: 0o600 });
    await expect(meet(file, { waitMs: 0 })).rejects.toMatchObject({
      code: "BAD_OPTION",
      message: expect.stringMatching(reason),
    });
  });

  it("refuses a file that others can read, a directory, and a pipe", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "rendezvous.json");
    await writeFile(file, text({}));
    await chmod(file, 0o644);
    await expect(meet(file, { waitMs: 0 })).rejects.toThrow(/mode 644.*expected mode 600/);
    await mkdir(join(directory, "folder"), { mode: 0o700 });
    await expect(meet(join(directory, "folder"), { waitMs: 0 })).rejects.toThrow(/cannot be read/);
    execFileSync("mkfifo", ["-m", "600", join(directory, "pipe")]);
    await expect(meet(join(directory, "pipe"), { waitMs: 0 })).rejects.toThrow(/is no rendezvous file/);
  });

  it("exits 3 when nothing came in time", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "none.json");
    const client = run(["client", "--rendezvous", file, "--rendezvous-wait", "0.1"]);
    expect(await client.ended).toBe(3);
    expect(client.log()).toMatch(/No server was met through .*there is no .*none.json yet/);
  });
});

function text(changed: object): string {
  return JSON.stringify({
    manyhands: 1,
    urls: ["http://127.0.0.1:9"],
    token: "mh_n_abc",
    start: "s",
    host: "elsewhere",
    pid: 1,
    ...changed,
  });
}
