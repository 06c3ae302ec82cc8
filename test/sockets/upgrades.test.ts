import { connect } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { until } from "../support/processes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

test("a request that offers another protocol is answered as it is", async () => {
  const server = await startTestServer();
  // As `curl --http2` and Java's HttpClient send every request.
  const head = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAA"];
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(server.port, "127.0.0.1", () =>
      socket.write(["GET /healthz HTTP/1.1", "Host: localhost", ...head, "", ""].join("\r\n")),
    );
    let text = "";
    socket.on("data", (bytes) => {
      text += bytes.toString();
      if (text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

describe("refused upgrades", () => {
  /**
   * Sends raw bytes on a plain TCP connection; resolves with the reply once the connection has closed.
   * @param ends - false: the client's half stays open, so the server alone can close the connection
   */
  const raw = (server: TestServer, text: string, ends = true): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect({ port: server.port, host: "127.0.0.1", allowHalfOpen: true }, () =>
        socket.write(text),
      );
      let answer = "";
      socket.on("data", (data) => (answer += data.toString()));
      socket.on("error", () => {});
      socket.on("close", () => resolve(answer));
      socket.on("end", () => ends && socket.end());
      onTestFinished(() => void socket.destroy());
    });
  const upgrade = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

  test.each(["//", "http://[", "/nope", "/%", "/socket/../socket"])(
    "an upgrade of %s ends that connection only",
    async (path) => {
      const server = await startTestServer();
      expect(await raw(server, upgrade(path))).toMatch(/^HTTP\/1.1 (404|400)/);
      expect(await server.api("GET", "/api/status")).toMatchObject({ jobs: 0 });
    },
  );

  test("a refused upgrade that keeps its half open does not keep the server from stopping", async () => {
    const server = await startTestServer();
    // The client never ends this connection, so its end cannot be waited for.
    void raw(server, upgrade("/nope"), false);
    await until(async () => (await server.api("GET", "/api/status"))["jobs"] !== undefined);
    const at = performance.now();
    await server.close();
    // A connection that the server does not end would keep the server from stopping.
    expect(performance.now() - at).toBeLessThan(20_000);
  });
});
