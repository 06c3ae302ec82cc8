import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type Hands } from "../../customer/index.ts";
import { TaskFailedError } from "../../customer/task-error.ts";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import { parseJsonText } from "../../shared/wire/json-text.ts";
import { valueFromJson, valueToJson } from "../../shared/wire/value-json.ts";
import { refusedValues, sameValue, valueRows } from "../support/value-rows.ts";
import { startHttpServer } from "../support/http-server.ts";
import { createJob } from "../support/rest.ts";
import { LivePlatform } from "./live-platform.ts";

let platform: LivePlatform;
let hands: Hands;
beforeAll(async () => {
  platform = await LivePlatform.start({ slots: 1 });
  hands = await platform.connect();
});
afterAll(() => platform.close());

// The server looks references up, and the blobs of the table's references do not exist.
const rows = valueRows.filter(([name]) => name !== "data references");
const come = rows.map(([, value, comesAs]) => comesAs ?? value);

function expectAll(found: readonly unknown[]): void {
  const wrong = rows.filter((_, i) => !sameValue(found[i], come[i])).map(([name]) => name);
  expect(wrong).toEqual([]);
}

async function api(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = {
    authorization: `Bearer ${platform.server.token}`,
    ...(init.headers as Record<string, string>),
  };
  return fetch(new URL(path, platform.url), { ...init, headers });
}

describe("[VALUE-1] every row of the table, in and out through a kernel", () => {
  test("SDK", async () => {
    expectAll(
      await hands.map(
        (x: Value) => x,
        rows.map(([, value]) => value),
      ),
    );
  });

  test("NDJSON in, NDJSON out", async () => {
    const made = await api("/api/jobs", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "ndjson", kernel: { source: "export default (x) => x" } }),
    });
    const { id } = (await made.json()) as { id: string };
    const lines = rows.map(([, value], index) => `${JSON.stringify({ index, input: valueToJson(value) })}\n`);
    const posted = await api(`/api/jobs/${id}/tasks?close=1`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: lines.join(""),
    });
    expect(await posted.json()).toMatchObject({ added: rows.length });
    const text = await (await api(`/api/jobs/${id}/results?follow=1`)).text();
    const results = text
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => parseJsonText(line)) as {
      index: number;
      output: unknown;
    }[];
    const outputs: unknown[] = [];
    for (const { index, output } of results) if (index !== undefined) outputs[index] = valueFromJson(output);
    expectAll(outputs);
  });

  test("JSON in, JSON out", async () => {
    const made = await api("/api/jobs", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        name: "json",
        kernel: { source: "export default (x) => x" },
        inputs: rows.map(([, value]) => valueToJson(value)),
      }),
    });
    const { id } = (await made.json()) as { id: string };
    await (await api(`/api/jobs/${id}/results?follow=1`)).text();
    const reply = await api(`/api/jobs/${id}/results`, { headers: { accept: "application/json" } });
    const results = parseJsonText(await reply.text()) as { index?: number; output: unknown }[];
    const outputs: unknown[] = [];
    for (const { index, output } of results) if (index !== undefined) outputs[index] = valueFromJson(output);
    expectAll(outputs);
  });

  test.each(refusedValues)("%s is refused as an input, by name and place", async (_name, make, message) => {
    const refusal: unknown = await hands
      .map((x: Value) => x, [1, { rows: [make()] }] as Value[])
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(refusal).toMatchObject({ code: "UNSERIALISABLE" });
    expect((refusal as Error).message).toMatch(message);
    expect((refusal as Error).message).toMatch(/Input 1: .*\(at \.rows\[0\]/);
  });
});

test("[VALUE-6] a line that JSON.parse would round or thin out is refused with its number", async () => {
  const made = await api("/api/jobs", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ kernel: { source: "export default (x) => x" } }),
  });
  const { id } = (await made.json()) as { id: string };
  for (const [line, said] of [
    ['{"input":9007199254740993}', "9007199254740993"],
    ['{"input":{"a":1,"a":2}}', 'two members \\"a\\"'],
    ['{"input":1e400}', "1e400"],
  ] as const) {
    const posted = await api(`/api/jobs/${id}/tasks`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: `{"input":1}\n${line}\n`,
    });
    expect(posted.status).toBe(400);
    const text = await posted.text();
    expect(text).toContain("Line 2");
    expect(text).toContain(said);
  }
});

test("[VALUE-5] an output over 256 KiB is JSON for a reader who asks for JSON, through a kernel on a client", async () => {
  const job = hands.map((n: number) => ({ floats: new Float32Array(n).fill(0.5), n }), [200_000]);
  const [output] = await job;
  const text = await (await api(`/api/jobs/${await job.id}/results`)).text();
  const line = parseJsonText(text.split("\n")[0]!) as { output: unknown };
  expect(sameValue(valueFromJson(line.output), output)).toBe(true);
});

test("[VALUE-4] a stored output that cannot be read is one failed result that names its task; the others are read", async () => {
  const server = await startHttpServer();
  await using customer = await connect(server.url, { token: server.tokens.customer });
  const { id } = await createJob(server, { inputs: [0, 1, 2, 3, 4] });
  await server.store.claim(id, 5);
  const cut = await customer.put(encodeValue(Array<number>(300_000).fill(1)).subarray(0, -1));
  await server.store.touchBlob({ sha256: "0".repeat(64), size: 300_000 } as never);
  const outputs = [Uint8Array.of(7), Uint8Array.of(0xc1), Uint8Array.of(8)];
  await server.store.complete(id, [
    ...outputs.map((output, index) => ({ state: "done", index, output, refs: [] }) as const),
    { state: "done", index: 3, output: { sha256: "0".repeat(64), size: 300_000 } as never, refs: [] },
    { state: "done", index: 4, output: { sha256: cut.sha256, size: cut.size }, refs: [] },
  ]);
  const seen: unknown[] = [];
  for await (const { index, output, error } of customer.job(id)) seen.push([index, output ?? error?.kind]);
  expect(seen).toEqual([
    [0, 7],
    [1, "unserialisable"],
    [2, 8],
    [3, "data"],
    [4, "unserialisable"],
  ]);
  const failure: unknown = await customer.job(id).then(undefined, (error: unknown) => error);
  expect(failure).toBeInstanceOf(TaskFailedError);
  expect((failure as TaskFailedError).failures.map(({ index }) => index)).toEqual([1, 3, 4]);
  expect(String(failure)).toMatch(/task 1 .*cannot be read/);
  expect(await customer.job(id).settled()).toMatchObject([
    { status: "done", output: 7 },
    { status: "failed" },
    { status: "done", output: 8 },
    { status: "failed" },
    { status: "failed" },
  ]);
});
