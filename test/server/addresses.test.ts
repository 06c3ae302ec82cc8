import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { reachableUrls, urlForOthers } from "../../server/reachable-urls.ts";
import { startServer } from "../../server/server.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";
import { makeCertificate, statusOverHttps } from "./https.ts";

const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
const own = addresses.find(({ internal, family }) => !internal && family === "IPv4")?.address;
const hasIpv6 = addresses.some(({ address }) => address === "::1");

describe("[ADDR-1] every address that the server tells works", () => {
  const hosts = ["127.0.0.1", "localhost", "0.0.0.0", hostname(), own, ...(hasIpv6 ? ["::", "::1"] : [])];
  test.each(hosts.filter((host) => host !== undefined))("--host %s", async (host) => {
    const server = await startTestServer({ host });
    expect(server.urls.length).toBeGreaterThan(0);
    for (const url of [...server.urls, ...server.volunteerUrls])
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(server.adminUrl)).status).not.toBe(404);
    // Programs find the token exactly when the start-up summary says so.
    const finding = connect(server.url, { connectMs: 30_000 });
    if (server.tokenIsFound) (await finding).close();
    else await expect(finding).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    // An invitation is for other machines: it names this machine's own name only where there is no other address.
    const { inviteUrl } = await server.api("POST", "/api/tokens", { role: "volunteer", name: "guest" });
    expect(String(inviteUrl)).toContain(urlForOthers(server.urls) ?? server.url);
    expect(new URL(String(inviteUrl)).search).toMatch(/^\?invite=mh_v_/);
  });

  test("an invitation asked for under a name that others use leads to that name", async () => {
    const server = await startTestServer({ host: "0.0.0.0", trustProxy: true });
    const response = await fetch(`${server.url}/api/tokens`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${server.token}`,
        "content-type": "application/json",
        "x-forwarded-host": "lab.example.org",
        "x-forwarded-proto": "https",
      },
      body: JSON.stringify({ role: "volunteer", name: "guest" }),
    });
    expect(await response.json()).toMatchObject({
      inviteUrl: expect.stringMatching(/^https:\/\/lab\.example\.org\/\?invite=/),
    });
  });

  test.each(["fe80::1%eth0", "", "http://lab"])(
    "a host that nobody can open is refused: %j",
    async (host) => {
      const dataDirectory = await temporaryDirectory();
      await expect(startServer({ port: 0, logLevel: "silent", dataDirectory, host })).rejects.toMatchObject({
        code: "BAD_OPTION",
        message: expect.stringContaining("expected an address"),
      });
    },
  );

  test("with a certificate they are those that it vouches for", async () => {
    const names = "DNS:lab.example.org,DNS:*.example.org,DNS:localhost";
    const { tlsKey, tlsCertificate } = await makeCertificate("lab.example.org", names);
    const server = await startTestServer({ tlsCertificate, tlsKey, host: "0.0.0.0" });
    expect(server.urls).toEqual([
      `https://localhost:${server.port}`,
      `https://lab.example.org:${server.port}`,
    ]);
    const ca = await readFile(tlsCertificate);
    expect(await statusOverHttps(`${server.url}/healthz`, ca)).toBe(200);
    const certificate = new X509Certificate(ca);
    expect(reachableUrls({ host: "127.0.0.1", port: 1, certificate })).toContain("https://localhost:1");
  });
});
