import { describe, expect, test } from "vitest";
import type { Identity } from "../../shared/wire/identity.ts";
import { makeIdentity } from "../support/identity.ts";
import { RawClient } from "../support/raw-client.ts";
import { submitJob } from "../support/jobs.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const join = (server: { url: string }, as?: Identity, overrides = {}): Promise<RawClient> =>
  new RawClient(server.url, { as }).join(overrides);

async function clientToken(server: TestServer): Promise<string> {
  const { token } = await server.api("POST", "/api/tokens", { role: "client", name: "node" });
  return token as unknown as string;
}

describe("[TRUST-1] the identity of a client", () => {
  test("comes from the server, and is its own again with its secret, also after a restart", async () => {
    const server = await startTestServer();
    const { identity } = await join(server);
    const back = await join(server, identity);
    expect(back.identity).toEqual(identity);
    await server.close();
    const again = await startTestServer({ dataDirectory: server.dataDirectory });
    expect((await join(again, identity)).identity).toEqual(identity);
  });

  test("is not taken over by a client that knows the id alone, and its leases and connection stay", async () => {
    const server = await startTestServer();
    await submitJob(server, "export default (x) => x", [1]);
    const token = await clientToken(server);
    const victim = await join(server, undefined, { token });
    const { job, tasks } = await victim.lease();
    const [{ id }] = (await server.api("GET", "/api/clients")) as unknown as [{ id: Identity["client"] }];
    expect(id).toBe(victim.id);
    const { index, attempt } = tasks[0]!;
    for (const secret of [makeIdentity().secret, "A".repeat(32)]) {
      const thief = new RawClient(server.url, { as: { client: id, secret } });
      await thief.opened();
      thief.hello({ held: [{ job, index, attempt }] });
      expect(await thief.next("welcome")).toMatchObject({ dropped: [{ job, index, attempt }] });
      expect(thief.id).not.toBe(id);
    }
    victim.finish(job, tasks[0]!);
    await victim.next("accepted");
  });

  test("belongs to its token: a volunteer gets no trusted id, nor a trusted client a volunteer's", async () => {
    const server = await startTestServer();
    const token = await clientToken(server);
    const { identity: trusted } = await join(server, undefined, { token });
    const { identity: volunteer } = await join(server);
    expect((await join(server, trusted)).id).not.toBe(trusted!.client);
    expect((await join(server, volunteer, { token })).id).not.toBe(volunteer!.client);
    expect((await join(server, trusted, { token })).id).toBe(trusted!.client);
  });

  test("of another server is none here", async () => {
    const [one, other] = [await startTestServer(), await startTestServer()];
    const { identity } = await join(one);
    expect((await join(other, identity)).id).not.toBe(identity!.client);
  });

  test("is refused when it is no identity at all", async () => {
    const server = await startTestServer();
    const client = await new RawClient(server.url).opened();
    client.hello({ identity: { ...makeIdentity(), secret: "short" } });
    expect(await client.next("refuse")).toMatchObject({ code: "MALFORMED_FRAME" });
  });
});
