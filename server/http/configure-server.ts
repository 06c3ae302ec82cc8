import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";

/**
 * Bounds and time limits of the listening server. Lasting requests (uploads, streams of tasks and results) are bounded by
 * silence, not by duration; routes that wait for people lift that bound themselves.
 */
export function configureHttpServer(server: Server | SecureServer): void {
  /** Time to send a request's head. */
  server.headersTimeout = 20_000;
  /** A whole request has no limit: a large blob over a slow network may take hours. */
  server.requestTimeout = 0;
  /** Longest silence on a connection with a request. */
  server.timeout = 120_000;
  /** Longest silence between two requests. It is longer than the 60 s of common proxies, so that the proxy closes first. */
  server.keepAliveTimeout = 65_000;
  server.maxHeadersCount = 100;
  server.on("connection", (socket) => {
    // Detects readers that vanished while they follow a job.
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
  });
}
