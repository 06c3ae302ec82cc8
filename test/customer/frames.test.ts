import { expect, test } from "vitest";
import { FrameSplitter } from "../../customer/frames.ts";
import { limits } from "../../shared/limits.ts";

const frame = (...body: number[]): number[] => [0, 0, 0, body.length, ...body];

test("frames come out whole, whatever chunks they came in; empty ones mean nothing", () => {
  const stream = Uint8Array.from([...frame(1, 2, 3), ...frame(), ...frame(4), ...frame(), ...frame(5, 6)]);
  const expected = [Uint8Array.of(1, 2, 3), Uint8Array.of(4), Uint8Array.of(5, 6)];
  for (let size = 1; size <= stream.length; size++) {
    const splitter = new FrameSplitter();
    const frames: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size)
      frames.push(...splitter.push(stream.slice(at, at + size)));
    expect(frames).toEqual(expected);
  }
});

test("a frame is its own: chunks may be used again", () => {
  const splitter = new FrameSplitter();
  const chunk = Uint8Array.from(frame(1, 2));
  const [body] = splitter.push(chunk);
  chunk.fill(9);
  expect(body).toEqual(Uint8Array.of(1, 2));
});

test("a length that no frame has reserves nothing", () => {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, limits.frameBytes + 1);
  expect(() => [...new FrameSplitter().push(head)]).toThrow("a frame of");
});
