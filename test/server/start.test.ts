import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { version } from "../../shared/version.ts";
import { reachableUrls } from "../../server/reachable-urls.ts";
import { run, startServerProcess, temporaryDirectory } from "../support/processes.ts";
import { startQuietServer, startTestServer } from "../support/server.ts";
import { makeCertificate, statusOverHttps } from "./https.ts";
import { isLinux, unlessLinux } from "../support/skipped.ts";

const refused = (options: object): Promise<unknown> => startQuietServer(options);

describe("starting", () => {
  test("[DUR-4] a second server on the same directory is refused and says why; the first goes on", async () => {
    const server = await startTestServer();
    const { dataDirectory } = server;
    await expect(refused({ dataDirectory })).rejects.toMatchObject({
      code: "DATA_DIRECTORY",
      message: expect.stringContaining(dataDirectory),
    });
    expect(await server.api("GET", "/api/status")).toMatchObject({ version });
  });

  test("a port that is taken is refused by name, and nothing stays open", async () => {
    const { port } = await startTestServer();
    const dataDirectory = await temporaryDirectory();
    await expect(refused({ port, dataDirectory })).rejects.toMatchObject({
      code: "BAD_OPTION",
      message: expect.stringContaining(String(port)),
    });
    await startTestServer({ dataDirectory });
  });

  test("certificates that cannot be read, are none, or come alone are refused by name", async () => {
    const dataDirectory = await temporaryDirectory();
    const file = join(dataDirectory, "no.pem");
    await writeFile(file, "not a certificate");
    for (const options of [
      { tlsCertificate: file },
      { tlsCertificate: "/does/not/exist", tlsKey: file },
      { tlsCertificate: file, tlsKey: file },
      { tlsCertificate: "/dev/zero", tlsKey: file },
    ])
      await expect(refused({ dataDirectory, ...options })).rejects.toMatchObject({ code: "BAD_OPTION" });
  });

  test("speaks HTTPS with a certificate", async () => {
    const names = "DNS:localhost";
    const { tlsKey, tlsCertificate } = await makeCertificate("localhost", names);
    const server = await startTestServer({ tlsCertificate, tlsKey });
    expect(server.url).toMatch(/^https:/);
    const ca = await readFile(tlsCertificate);
    expect(await statusOverHttps(`${server.url}/healthz`, ca)).toBe(200);
  });

  test("wrong options on the command line end with exit code 2 and one clear sentence", async () => {
    for (const [flags, sentence] of [
      [["--port", "99999"], "whole number from 0 to 65535"],
      [["--volunteers", "maybe"], "open, invite, off"],
      [["--heartbeat-seconds", "700"], "at most 600"],
      [["--tls-cert", "/does/not/exist"], "go together"],
    ] as const) {
      const server = run(["server", "--data", await temporaryDirectory(), ...flags]);
      expect(await server.ended).toBe(2);
      expect(server.log()).toContain(sentence);
      expect(server.log()).not.toContain("    at ");
    }
  });

  // Systems other than Linux have to set up the second address of this machine first.
  test.skipIf(!isLinux)(
    `[ACCESS-1] only 127.0.0.1 is listened on unless told otherwise${unlessLinux}`,
    async () => {
      const other = (port: number): Promise<Response> => fetch(`http://127.0.0.2:${port}/healthz`);
      const { port } = await startTestServer();
      await expect(other(port)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
      const open = await startTestServer({ host: "0.0.0.0" });
      expect((await other(open.port)).status).toBe(200);
    },
  );

  test("the start-up summary names what a person needs, and no token", async () => {
    const server = await startServerProcess(await temporaryDirectory());
    expect(server.url).toBe(`http://localhost:${server.port}`);
    expect(server.token).toMatch(/^mh_a_/);
    expect(server.log()).not.toContain(server.token);
    expect(await server.terminate()).toBe(0);
  });
});

describe("the addresses a server says it is reached on", () => {
  test("are a single address for a single host, and all usable addresses for every host", () => {
    const of = (host: string): string[] => reachableUrls({ host, port: 9990 });
    expect(of("127.0.0.1")).toEqual(["http://localhost:9990"]);
    expect(of("::1")).toEqual(["http://[::1]:9990"]);
    expect(of("10.0.0.7")).toEqual(["http://10.0.0.7:9990"]);
    const all = of("0.0.0.0");
    expect(all[0]).toBe("http://localhost:9990");
    expect(all.every((url) => URL.canParse(url))).toBe(true);
  });
});

test("the version is the package's", async () => {
  const text = await readFile(join(import.meta.dirname, "..", "..", "package.json"), "utf8");
  expect((JSON.parse(text) as { version: string }).version).toBe(version);
});
