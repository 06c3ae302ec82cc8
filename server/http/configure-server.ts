import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";

/**
 * Bounds and time limits of the listening server. What may last (uploads, streams of tasks and results) is bounded by
 * silence and not by duration; routes that wait for people switch that off for themselves.
 */
export function configureHttpServer(server: Server | SecureServer): void {
  /** To send a request's head. */
  server.headersTimeout = 20_000;
  /** A whole request may take hours: a large blob over a slow line. */
  server.requestTimeout = 0;
  /** Silence on a connection with a request under way. */
  server.timeout = 120_000;
  /** Silence between two requests. Longer than the 60 s of common proxies, so that they and not we close first. */
  server.keepAliveTimeout = 65_000;
  server.maxHeadersCount = 100;
  server.on("connection", (socket) => {
    // Finds readers that vanished without a word while they follow a job.
    socket.setKeepAlive(true, 60_000);
    socket.setNoDelay(true);
  });
}
