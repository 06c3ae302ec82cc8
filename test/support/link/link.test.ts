import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../processes.ts";
import { quickest } from "../quickest.ts";
import { Link, type LinkShape } from "./link.ts";

/** A server that answers each connection with its own bytes, and sends `greeting` first. */
async function startEcho(
  greeting: Buffer = Buffer.alloc(0),
): Promise<{ url: string; received: () => number }> {
  let received = 0;
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(greeting);
    socket.on("data", (bytes) => {
      received += bytes.length;
      socket.write(bytes);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received: () => received };
}

async function startLink(target: string, shape: Partial<LinkShape>): Promise<Link> {
  const link = await Link.start(target, { rttMs: 20, upMbitPerS: 100, downMbitPerS: 100, loss: 0, ...shape });
  onTestFinished(() => link.close());
  return link;
}

function open(link: Link): { socket: Socket; received: () => number; errors: string[] } {
  const socket = connect(Number(new URL(link.url).port), "127.0.0.1");
  let received = 0;
  const errors: string[] = [];
  socket.on("data", (bytes) => (received += bytes.length));
  socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received, errors };
}

test("a link has a round trip, and a handshake of another", async () => {
  const echo = await startEcho();
  const { socket, received } = open(await startLink(echo.url, { rttMs: 300 }));
  const trip = async (): Promise<number> => {
    const [began, before] = [performance.now(), received()];
    socket.write("x");
    await until(() => received() > before);
    return performance.now() - began;
  };
  expect(await trip()).toBeGreaterThan(590);
  const ms = await quickest(trip, 420);
  expect(ms).toBeGreaterThan(295);
  expect(ms).toBeLessThan(420);
});

test("a link has a rate in each direction, which connections share", async () => {
  const echo = await startEcho(Buffer.alloc(250_000));
  const ms = await quickest(async () => {
    const link = await startLink(echo.url, { downMbitPerS: 4, upMbitPerS: 1 });
    const began = performance.now();
    const [one, other] = [open(link), open(link)];
    await until(() => one.received() + other.received() === 500_000);
    return performance.now() - began;
  }, 1400);
  expect(ms).toBeGreaterThan(950);
  expect(ms).toBeLessThan(1400);
});

test("a sender feels the rate of the link through its own socket", async () => {
  const echo = await startEcho();
  const link = await startLink(echo.url, { upMbitPerS: 1 });
  const { socket } = open(link);
  await once(socket, "connect");
  socket.write(Buffer.alloc(2_000_000));
  await until(() => echo.received() > 50_000);
  expect(socket.writableLength).toBeGreaterThan(1_000_000);
});

test("a client of another address hears nothing of its old connections, and new ones work", async () => {
  const echo = await startEcho();
  const link = await startLink(echo.url, {});
  const before = open(link);
  before.socket.write("x");
  await until(() => before.received() === 1);
  link.move();
  await link.counts();
  before.socket.write("x");
  const after = open(link);
  after.socket.write("x");
  await until(() => after.received() === 1);
  expect([before.received(), before.errors, before.socket.closed]).toEqual([1, [], false]);
  expect(await link.counts()).toMatchObject({ connections: 2, open: 1 });
});

test("a link stands still, and goes on with all bytes", async () => {
  const echo = await startEcho();
  const link = await startLink(echo.url, {});
  const { socket, received } = open(link);
  socket.write("x");
  await until(() => received() === 1);
  link.stall(700);
  await link.counts();
  const began = performance.now();
  socket.write("x");
  await until(() => received() === 2);
  expect(performance.now() - began).toBeGreaterThan(600);
});

test("connections are reset, once or periodically", async () => {
  const echo = await startEcho();
  const link = await startLink(echo.url, {});
  const first = open(link);
  first.socket.write("x");
  await until(() => first.received() === 1);
  link.reset();
  await until(() => first.errors.length);
  expect(first.errors).toEqual(["ECONNRESET"]);
  const second = open(link);
  second.socket.write("x");
  await until(() => second.received() === 1);
  link.set({ resetEveryMs: 100 });
  await until(() => second.errors.length);
  link.set({ resetEveryMs: undefined });
  await link.counts();
  const third = open(link);
  third.socket.write("x");
  await until(() => third.received() === 1);
  // The link reset connections every 100 ms before: a third connection lives through three such times.
  await new Promise((resolve) => third.socket.setTimeout(300, () => resolve(undefined)));
  expect(third.errors).toEqual([]);
});

test("lost segments delay what is behind them", async () => {
  const echo = await startEcho();
  const link = await startLink(echo.url, { rttMs: 200, loss: 1 });
  const { socket, received } = open(link);
  const began = performance.now();
  socket.write("x");
  await until(() => received() === 1);
  expect(performance.now() - began).toBeGreaterThan(790);
});

test("the end of a connection passes behind its bytes", async () => {
  const echo = await startEcho(Buffer.alloc(300_000));
  const link = await startLink(echo.url, { downMbitPerS: 10 });
  const { socket, received } = open(link);
  socket.end("x");
  await once(socket, "end");
  expect(received()).toBe(300_001);
});
