import { expect, test } from "vitest";
import { limits } from "../../shared/limits.ts";
import { decodeClientFrame, type ClientMessage, type TaskResult } from "../../shared/wire/protocol.ts";
import { FrameWriter } from "../../shared/client/frame-writer.ts";
import { descriptor } from "../support/client-session-harness.ts";

const { id: job } = descriptor();

function result(index: number, bytes = 1): TaskResult {
  return { index, attempt: 1, elapsedMs: 1, outcome: { state: "done", output: new Uint8Array(bytes) } };
}

class Wire {
  bufferedBytes = 0;
  readonly frames: Uint8Array[] = [];
  send(frame: Uint8Array): void {
    this.frames.push(frame);
  }
  close(): void {}
  get messages(): ClientMessage[][] {
    return this.frames.map(decodeClientFrame);
  }
}

test("messages of one turn are one frame, and results of one job are one message, in order", () => {
  const wire = new Wire();
  const writer = new FrameWriter(wire);
  writer.push({ type: "want", tasks: 1, slots: 1 });
  writer.push({ type: "results", job, results: [result(0)] });
  writer.push({ type: "results", job, results: [result(1)] });
  writer.push({ type: "goodbye" });
  expect(writer.flush()).toBe(true);
  expect(wire.messages.map((frame) => frame.map(({ type }) => type))).toEqual([
    ["want", "results", "goodbye"],
  ]);
  expect(writer.flush()).toBe(true);
  expect(wire.frames).toHaveLength(1);
});

test("frames stay under the limit however much there is to say", () => {
  const wire = new Wire();
  const writer = new FrameWriter(wire);
  for (let index = 0; index < 100; index++)
    writer.push({ type: "results", job, results: [result(index, limits.inlineValueBytes)] });
  for (let i = 0; i < 3000; i++) writer.push({ type: "want", tasks: i, slots: 1 });
  writer.flush();
  expect(Math.max(...wire.frames.map(({ length }) => length))).toBeLessThan(limits.frameBytes);
  expect(wire.messages.flat().filter(({ type }) => type === "want")).toHaveLength(3000);
  const results = wire.messages
    .flat()
    .flatMap((message) => (message.type === "results" ? message.results : []));
  expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 100 }, (_, index) => index));
});

test("while the network is behind, the rest waits; last words do not", () => {
  const wire = new Wire();
  const writer = new FrameWriter(wire);
  wire.bufferedBytes = 100 * 1024 * 1024;
  writer.push({ type: "goodbye" });
  expect(writer.flush()).toBe(false);
  expect(wire.frames).toHaveLength(0);
  expect(writer.flush(true)).toBe(true);
  expect(wire.frames).toHaveLength(1);
});
