import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { connect } from "../../customer/index.ts";
import { version } from "../../shared/version.ts";
import { startClientProcess } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

/** A proxy in front of a server whose replies it changes into those of another version. */
async function startAs(target: string, change: (text: string) => string): Promise<string> {
  const { hostname, port } = new URL(target);
  const proxy = createServer((req, res) => {
    const { method, headers, url: path } = req;
    const passed = request({ hostname, port, path, method, headers }, (reply) => {
      const { "content-length": length, ...rest } = reply.headers;
      const isText = /json/.test(rest["content-type"] ?? "") && rest["content-encoding"] === undefined;
      res.writeHead(
        reply.statusCode!,
        isText || length === undefined ? rest : { ...rest, "content-length": length },
      );
      if (!isText) return void reply.pipe(res);
      reply.setEncoding("utf8");
      reply.on("data", (text: string) => res.write(change(text)));
      reply.on("end", () => res.end());
    });
    passed.on("error", () => res.destroy());
    res.on("close", () => passed.destroy());
    req.pipe(passed);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://localhost:${(proxy.address() as AddressInfo).port}`;
}

/** Submits a job through a server of another version, and follows it. */
async function computeAt(url: string, token: string): Promise<void> {
  const hands = await connect(url, { token, log: () => undefined });
  onTestFinished(() => hands.close());
  const fractions: number[] = [];
  const job = hands.map((x: number) => x * x, [1, 2, 3], { onProgress: ({ done }) => fractions.push(done) });
  expect(await job).toEqual([1, 4, 9]);
  expect(fractions.at(-1)).toBe(3);
  expect((await hands.api.jobs())[0]).toMatchObject({ missingData: [], counts: { done: 3 } });
  expect((await hands.api.status()).damaged).toEqual({ records: 0, blobs: 0 });
}

test("[UPGRADE-3] a program takes replies of 0.2.0, and those of a later server with fields that it does not know", async () => {
  const server = await startTestServer();
  await startClientProcess(server);
  let changed = 0;
  const count = (text: string, was: string): string => {
    if (was !== text) changed++;
    return text;
  };
  const older = await startAs(server.url, (text) =>
    count(text.replaceAll(/"(missingData":\[\]|damaged":\{[^}]*\}),/g, ""), text),
  );
  await computeAt(older, server.token);
  expect(changed).toBeGreaterThan(3);
  changed = 0;
  const later = await startAs(server.url, (text) =>
    count(text.replaceAll(/"(counts|tasks|damaged|statement)":\{/g, '"later":{"x":[]},$&"later":1,'), text),
  );
  await computeAt(later, server.token);
  expect(changed).toBeGreaterThan(3);
});

test("[UPGRADE-3] a program refuses a server whose replies lack what it needs, with both versions", async () => {
  const server = await startTestServer();
  const url = await startAs(server.url, (text) =>
    text.replace('"provisional":', '"other":').replace(`"version":"${version}"`, '"version":"0.1.0"'),
  );
  await expect(connect(url, { token: server.token })).rejects.toMatchObject({
    code: "UPGRADE_REQUIRED",
    message: expect.stringMatching(
      `The server \\(0\\.1\\.0\\) .* this program \\(${version}\\) .*provisional`,
    ),
  });
});
