import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import { submitSquares } from "../support/jobs.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer } from "../support/server.ts";

describe("access", () => {
  test("[ACCESS-2] volunteers open, invite, off; a client token makes trusted", async () => {
    for (const [volunteers, code] of [
      ["invite", "INVITE_REQUIRED"],
      ["off", "VOLUNTEERS_OFF"],
    ] as const) {
      const server = await startTestServer({ volunteers });
      const refused = await new RawClient(server.url).opened();
      refused.hello();
      expect(await refused.next("refuse")).toMatchObject({ code });
      const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
      await new RawClient(server.url).join({ token });
      const clients = (await server.api("GET", "/api/clients")) as unknown as { trusted: boolean }[];
      expect(clients).toMatchObject([{ trusted: true }]);
    }
  });

  test("[ACCESS-2] an invitation lets a volunteer in, untrusted; a wrong token and a customer's do not", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const invite = await server.api("POST", "/api/tokens", { role: "volunteer", name: "open day" });
    await new RawClient(server.url).join({ token: invite["token"] });
    const clients = (await server.api("GET", "/api/clients")) as unknown as { trusted: boolean }[];
    expect(clients).toMatchObject([{ trusted: false }]);
    const customer = await server.api("POST", "/api/tokens", { role: "customer", name: "ada" });
    for (const [token, code] of [
      ["mh_v_nonsense", "UNAUTHENTICATED"],
      [customer["token"], "FORBIDDEN"],
    ] as const) {
      const client = await new RawClient(server.url).opened();
      client.hello({ token });
      expect(await client.next("refuse")).toMatchObject({ code });
    }
  });

  test("[TOKEN-1] a token lets no more clients in than its bound, and one in again once another left", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const { token } = await server.api("POST", "/api/tokens", {
      role: "volunteer",
      name: "room",
      maxClients: 2,
    });
    const first = await new RawClient(server.url).join({ token });
    const second = await new RawClient(server.url).join({ token });
    const third = await new RawClient(server.url).opened();
    third.hello({ token });
    expect(await third.next("refuse")).toMatchObject({ code: "TOO_MANY", retryable: true });
    const again = await new RawClient(server.url).join({ token, identity: first.identity });
    second.socket.close();
    await until(async () => {
      const late = await new RawClient(server.url).opened();
      late.hello({ token });
      return Promise.race([late.next("welcome").then(() => true), late.closed.then(() => false)]);
    });
    again.socket.close();
  });

  test("[TOKEN-2] a changed bound holds for who comes next, and lets those who are there stay", async () => {
    const server = await startTestServer({ volunteers: "invite" });
    const { id, token } = await server.api("POST", "/api/tokens", { role: "volunteer", name: "room" });
    const limit = (maxClients: number | null) =>
      server.api("PATCH", `/api/tokens/${String(id)}`, { maxClients });
    const joins = async (): Promise<unknown> => {
      const late = await new RawClient(server.url).opened();
      late.hello({ token });
      return Promise.race([late.next("welcome"), late.next("refuse")]);
    };
    const first = await new RawClient(server.url).join({ token });
    const second = await new RawClient(server.url).join({ token });
    expect(await limit(1)).toMatchObject({ id, name: "room", maxClients: 1 });
    expect(await joins()).toMatchObject({ type: "refuse", code: "TOO_MANY" });
    await limit(3);
    expect(await joins()).toMatchObject({ type: "welcome" });
    expect(await joins()).toMatchObject({ type: "refuse", code: "TOO_MANY" });
    expect(await limit(null)).not.toHaveProperty("maxClients");
    expect(await joins()).toMatchObject({ type: "welcome" });
    expect([first.socket.readyState, second.socket.readyState]).toEqual([1, 1]);
    expect(await server.api("PATCH", "/api/tokens/t_none", { maxClients: 1 })).toMatchObject({
      code: "NOT_FOUND",
    });
    for (const wrong of [{ maxClients: 0 }, {}, { maxClients: 1, role: "admin" }])
      expect(await server.api("PATCH", `/api/tokens/${String(id)}`, wrong)).toMatchObject({
        code: "BAD_REQUEST",
      });
  });

  test("revoking a token ends the connections that came with it", async () => {
    const server = await startTestServer({ volunteers: "off" });
    const { token, id } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
    const client = await new RawClient(server.url).join({ token });
    await server.api("DELETE", `/api/tokens/${id as unknown as string}`);
    expect(await client.next("refuse")).toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("[ACCESS-4] a page of another origin cannot open the socket", async () => {
    const server = await startTestServer();
    const foreign = new RawClient(server.url, { origin: "https://evil.example" });
    expect(await foreign.closed).toMatchObject({ code: 1006 });
    const own = new RawClient(server.url, { origin: server.url });
    await own.join();
  });

  test("a banned client is disconnected and refused from then on", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).join();
    await server.api("POST", `/api/clients/${client.id}/ban`, { reason: "wrong results" });
    expect(await client.next("refuse")).toMatchObject({ code: "BANNED" });
    const again = await new RawClient(server.url, { as: client.identity }).opened();
    again.hello();
    expect(await again.next("refuse")).toMatchObject({
      code: "BANNED",
      message: expect.stringContaining("wrong results"),
    });
  });

  test("messages of a refused client after its refusal are not read; its ticket is not valid", async () => {
    const server = await startTestServer();
    const id = await submitSquares(server, [1]);
    const client = await new RawClient(server.url).opened();
    client.hello();
    const { ticket } = await client.next("welcome");
    const { job, tasks } = await client.lease();
    await server.api("POST", `/api/clients/${client.id}/ban`, { reason: "test" });
    client.finish(job, tasks[0]!);
    await client.closed;
    expect(await server.api("GET", `/api/jobs/${id}`)).toMatchObject({ counts: { done: 0, queued: 1 } });
    const bytes = new Uint8Array([1, 2, 3]);
    const put = await fetch(`${server.url}/api/blobs/${sha256Hex(bytes)}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${ticket}` },
      body: bytes,
    });
    expect(put.status).toBe(401);
  });

  test("[ACCESS-2] with its token a client loses its ticket, also while it is not connected", async () => {
    const server = await startTestServer({ graceMs: 60_000 });
    const { token, id } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
    const client = await new RawClient(server.url).opened();
    client.hello({ token });
    const { ticket } = await client.next("welcome");
    client.socket.terminate();
    await client.closed;
    const status = async () => {
      const headers = { authorization: `Bearer ${ticket}` };
      return (await fetch(`${server.url}/api/blobs/${"0".repeat(64)}`, { headers })).status;
    };
    expect(await status()).toBe(404);
    await server.api("DELETE", `/api/tokens/${String(id)}`);
    expect(await status()).toBe(401);
  });
});
