import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { deflateSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { FrameSender, inflateFrame, isDeflated, NetworkPace } from "../../system/deflated-frames.ts";
import { Link, links } from "../support/link/link.ts";

describe("[MILES-7] a network is slow", () => {
  test("when it takes less than 100 Mbit/s of what waits for it", () => {
    const pace = new NetworkPace();
    let now = 0;
    const send = (bytes: number, ms: number): void => {
      const taken = pace.gave(bytes, now);
      taken((now += ms));
    };
    send(256 * 1024, 99);
    expect(pace.isSlow(now)).toBe(false);
    send(256 * 1024, 100);
    expect(pace.isSlow(now)).toBe(true);
    for (let i = 0; i < 40; i++) send(256 * 1024, 1);
    expect(pace.isSlow(now)).toBe(false);
  });

  test("not while nothing waits, however long", () => {
    const pace = new NetworkPace();
    let now = 0;
    for (; now < 100_000; now += 1000) pace.gave(20_000, now)(now + 0.1);
    expect(pace.isSlow(now)).toBe(false);
  });

  test("by the time in which anything waited, once for frames that wait together", () => {
    const pace = new NetworkPace();
    const taken = Array.from({ length: 4 }, () => pace.gave(500_000, 0));
    for (const [at, one] of taken.entries()) one(38 * (at + 1));
    expect(pace.isSlow(1000)).toBe(false);
  });

  test("also while the first frame still waits", () => {
    const pace = new NetworkPace();
    pace.gave(256 * 1024, 0);
    expect(pace.isSlow(99)).toBe(false);
    expect(pace.isSlow(100)).toBe(true);
  });
});

/** A sender behind a link whose other end offers the subprotocols. */
async function connected(mbitPerS: number, protocols = ["plain", "deflating"]) {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    handleProtocols: (offered) => [...offered].at(-1)!,
  });
  await once(server, "listening");
  onTestFinished(() => server.close());
  const link = await Link.start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    ...links.a,
    downMbitPerS: mbitPerS,
  });
  onTestFinished(() => link.close());
  const client = new WebSocket(link.url.replace("http", "ws"), protocols);
  onTestFinished(() => client.terminate());
  const frames: Buffer[] = [];
  client.on("message", (data: Buffer) => frames.push(data));
  const [socket] = (await once(server, "connection")) as [WebSocket];
  return { sender: new FrameSender(socket, "deflating"), frames, client };
}

/** A frame as of MessagePack: its first byte is that of an array. */
function frame(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x91), bytes]);
}

const text = (index: number): Uint8Array =>
  frame(Buffer.from(Array.from({ length: 8000 }, (_, at) => `particle ${index} ${at}, `).join("")));

describe("[MILES-7] frames over a slow link", () => {
  test("are compressed where that shrinks them, and keep their order", async () => {
    const { sender, frames, client } = await connected(20);
    const sent: Uint8Array[] = [];
    for (let index = 0; index < 60; index++) {
      sent.push(text(index), frame(randomBytes(50_000)), frame(randomBytes(10)));
      let left = 3;
      await new Promise<void>((resolve) => {
        for (const one of sent.slice(-3))
          sender.send(one, () => {
            if (--left === 0) resolve();
          });
      });
    }
    sender.close(1000, "done");
    await once(client, "close");
    expect(sender.bufferedBytes).toBe(0);
    expect(frames.map((one) => (isDeflated(one) ? Buffer.from(inflateFrame(one)) : one))).toEqual(
      sent.map((one) => Buffer.from(one)),
    );
    const deflated = frames.flatMap((one, at) => (isDeflated(one) ? [at % 3] : []));
    expect(deflated.length).toBeGreaterThan(20);
    expect(new Set(deflated)).toEqual(new Set([0]));
  });

  test("are left alone for an end that does not take them", async () => {
    const { sender, frames, client } = await connected(20, ["plain"]);
    for (let index = 0; index < 40; index++)
      await new Promise<void>((resolve) => sender.send(text(index), resolve));
    sender.close(1000, "done");
    await once(client, "close");
    expect(frames).toHaveLength(40);
    expect(frames.filter(isDeflated)).toEqual([]);
  });
});

test("[MILES-7] a stream of more than any frame, or a damaged one, is refused", () => {
  expect(() => inflateFrame(deflateSync(Buffer.alloc(1024 * 1024 + 1)))).toThrow(/larger than/);
  const damaged = deflateSync(text(1));
  damaged[100]! ^= 1;
  expect(() => inflateFrame(damaged)).toThrow(/incorrect data check|invalid/);
});
