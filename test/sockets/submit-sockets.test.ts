import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { limits } from "../../shared/limits.ts";
import { submitSubprotocol } from "../../shared/wire/rest/submission.ts";
import { TaskPacker } from "../../shared/wire/task-pack.ts";
import { until } from "../support/processes.ts";
import { RawClient } from "../support/raw-client.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const kernel = { source: "export default (x) => x" };

async function openJob(server: TestServer): Promise<string> {
  return (await server.api("POST", "/api/jobs", { kernel }))["id"] as unknown as string;
}

async function totalOf(server: TestServer, job: string): Promise<number> {
  return ((await server.api("GET", `/api/jobs/${job}`)) as unknown as { counts: { total: number } }).counts
    .total;
}

function packOf(first: number, ...inputs: Value[]): Uint8Array {
  const packer = new TaskPacker(first);
  for (const input of inputs) packer.add(encodeValue(input), []);
  return packer.encode();
}

/** A submit socket as a customer of any make may use it. */
class Customer {
  readonly socket: WebSocket;
  readonly answers: Record<string, number>[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  status: number | undefined;

  constructor(server: TestServer, job: string, { token = server.token, origin = "" } = {}) {
    const url = `${server.url.replace("http", "ws")}/api/jobs/${job}/tasks`;
    this.socket = new WebSocket(url, submitSubprotocol, {
      headers: token ? { authorization: `Bearer ${token}` } : {},
      ...(origin && { origin }),
    });
    this.socket.on("message", (data: Buffer) =>
      this.answers.push(JSON.parse(data.toString()) as Record<string, number>),
    );
    this.socket.on("error", () => undefined);
    this.socket.on("unexpected-response", (_request, response) => {
      this.status = response.statusCode;
      this.socket.terminate();
    });
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    onTestFinished(() => this.socket.terminate());
  }

  async opened(): Promise<this> {
    await once(this.socket, "open");
    return this;
  }

  async answer(count: number): Promise<Record<string, number>> {
    await until(() => this.answers.length >= count);
    return this.answers[count - 1]!;
  }
}

describe("[LINE-1] a submit socket for the tasks of a job", () => {
  test("answers packs in order, and computes what they hold", async () => {
    const server = await startTestServer();
    const job = await openJob(server);
    const client = await new RawClient(server.url).join();
    const customer = await new Customer(server, job).opened();
    customer.socket.send(packOf(0, "a"));
    expect(await customer.answer(1)).toEqual({ added: 1, repeated: 0, total: 1 });
    const { tasks } = await client.lease();
    expect(decodeValue(tasks[0]!.input as Uint8Array)).toBe("a");
    // Several packs at a time, and a pack that was sent before.
    for (let first = 1; first < 20; first++) customer.socket.send(packOf(first, first));
    customer.socket.send(packOf(18, 18, 19));
    expect(await customer.answer(21)).toEqual({ added: 0, repeated: 2, total: 20 });
    expect(customer.answers.map(({ total }) => total)).toEqual([
      ...Array.from({ length: 20 }, (_, index) => index + 1),
      20,
    ]);
  });

  test("is refused without a token, with one that may not submit, and for a job that is not the caller's", async () => {
    const server = await startTestServer();
    const job = await openJob(server);
    const tokenOf = async (role: string): Promise<string> =>
      (await server.api("POST", "/api/tokens", { role, name: role }))["token"] as unknown as string;
    for (const [token, status] of [
      ["", 401],
      ["mh_x_nonsense", 401],
      [await tokenOf("client"), 403],
      [await tokenOf("customer"), 404],
    ] as const) {
      const customer = new Customer(server, job, { token });
      await customer.closed;
      expect(customer.status, token).toBe(status);
    }
    for (const path of ["j_aaaaaaaaaaaaaaaa", "nonsense"]) {
      const customer = new Customer(server, path);
      await customer.closed;
      expect(customer.status).toBe(404);
    }
  });

  test("[ACCESS-4] is refused to a page of another origin", async () => {
    const server = await startTestServer();
    const customer = new Customer(server, await openJob(server), { origin: "https://evil.example" });
    await customer.closed;
    expect(customer.status).toBe(403);
  });

  test.each([
    ["garbage", () => new Uint8Array([0xc1, 2, 3]), 4400],
    ["text", () => "hello", 4400],
    ["another input for an index", () => packOf(0, "other"), 4409],
    ["a message that is too large", () => new Uint8Array(limits.submitSocketBytes + 1), 1009],
  ])("ends at %s, and nothing of it is kept", async (_what, message, code) => {
    const server = await startTestServer();
    const job = await openJob(server);
    const customer = await new Customer(server, job).opened();
    customer.socket.send(packOf(0, "first"));
    await customer.answer(1);
    customer.socket.send(message());
    customer.socket.send(packOf(1, "behind it"));
    expect(await customer.closed).toMatchObject({ code });
    expect(customer.answers).toHaveLength(1);
    expect(await totalOf(server, job)).toBe(1);
  });

  test("ends when its job takes no more tasks", async () => {
    const server = await startTestServer();
    const job = await openJob(server);
    const customer = await new Customer(server, job).opened();
    await server.api("POST", `/api/jobs/${job}/close`);
    customer.socket.send(packOf(0, "late"));
    expect(await customer.closed).toEqual({ code: 4409, reason: "WRONG_STATE" });
  });

  test("ends when its token is revoked", async () => {
    const server = await startTestServer();
    const { token, id } = await server.api("POST", "/api/tokens", { role: "admin", name: "second" });
    const customer = await new Customer(server, await openJob(server), {
      token: token as unknown as string,
    }).opened();
    await server.api("DELETE", `/api/tokens/${id as unknown as string}`);
    expect(await customer.closed).toEqual({ code: 4401, reason: "UNAUTHENTICATED" });
  });

  test("ends at more packs a second than the server takes, and no answered one is lost", async () => {
    const server = await startTestServer({ messagesPerSecondPerClient: 3 });
    const job = await openJob(server);
    const customer = await new Customer(server, job).opened();
    for (let first = 0; first < 100; first++) customer.socket.send(packOf(first, first));
    expect(await customer.closed).toEqual({ code: 4429, reason: "TOO_MANY" });
    expect(customer.answers.length).toBeGreaterThanOrEqual(30);
    expect(await totalOf(server, job)).toBe(customer.answers.length);
  });

  test("takes no message in many pieces, each of which may hold more than it is", async () => {
    const server = await startTestServer();
    const customer = await new Customer(server, await openJob(server)).opened();
    for (let piece = 0; piece < 100; piece++) customer.socket.send("x", { fin: false });
    expect(await customer.closed).toMatchObject({ code: 1008 });
  });

  test("is told that the server goes, behind the last answer", async () => {
    const server = await startTestServer();
    const job = await openJob(server);
    const customer = await new Customer(server, job).opened();
    customer.socket.send(packOf(0, "in time"));
    await customer.answer(1);
    const stopped = server.close();
    expect(await customer.closed).toEqual({ code: 4503, reason: "SHUTTING_DOWN" });
    await stopped;
  });
});
