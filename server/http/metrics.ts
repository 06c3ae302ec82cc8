import type { RequestHandler } from "express";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Health } from "../health.ts";
import type { Platform } from "../platform.ts";

/** Prometheus metrics of one server; other parts may register theirs in `registry`. */
export interface Metrics {
  readonly registry: Registry;
  /** Measures the time of every request under its route. */
  readonly time: RequestHandler;
  /** Text of all metrics, with current values of the platform. */
  scrape(platform: Platform, health?: Pick<Health, "check" | "freeBytes">): Promise<string>;
}

const durations = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];

/**
 * Makes the metrics of a server: its own, and from the first scrape on also the process's (memory, garbage collection,
 * event-loop lag).
 */
export function createMetrics(registry = new Registry()): Metrics {
  const gauge = <const Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `manyhands_${name}`, help, labelNames, registers: [registry] });
  const jobs = gauge("jobs", "Jobs that have not ended");
  const tasks = gauge("tasks", "Tasks by state", ["state"]);
  const leases = gauge("leases", "Tasks held by clients");
  const results = gauge("results", "Outcomes accepted: tasks done and failed");
  const dropped = gauge("dropped_results", "Results dropped because their task had ended");
  const rate = gauge("results_per_second", "Results a second over the last ten seconds");
  const clients = gauge("clients", "Connected clients by kind", ["kind"]);
  const slots = gauge("slots", "Slots of the connected clients by use", ["use"]);
  const damaged = gauge(
    "damaged",
    "Stored data that is not as it was written: records of the database, blobs",
    ["what"],
  );
  const blobs = gauge("blobs", "Blobs kept");
  const blobBytes = gauge("blob_bytes", "Bytes of the blobs kept");
  const blobQuota = gauge("blob_quota_bytes", "Bytes that blobs may take");
  const healthy = gauge("healthy", "1 when the server can keep its data, 0 when /healthz says why it cannot");
  const diskFree = gauge("disk_free_bytes", "Bytes free on the file system of the data directory");
  const seconds = new Histogram({
    name: "manyhands_http_request_duration_seconds",
    help: "Time from a request's head to the end of its reply",
    labelNames: ["method", "route", "status"] as const,
    buckets: durations,
    registers: [registry],
  });

  // Measuring the event loop's lag wakes the process a hundred times a second, 0.8 % of a core, so it begins with the first
  // scrape.
  let collecting = false;
  const collect = (): void => {
    if (!collecting) collectDefaultMetrics({ register: registry });
    collecting = true;
  };

  return {
    registry,
    time: (req, res, next) => {
      const started = performance.now();
      res.once("close", () => {
        // The label is the route's pattern, never the path, because each label value is kept in memory.
        const route = (res.locals["route"] as string | undefined) ?? "other";
        const method = knownMethods.has(req.method) ? req.method : "other";
        seconds.observe({ method, route, status: res.statusCode }, (performance.now() - started) / 1000);
      });
      next();
    },
    async scrape(platform, health) {
      collect();
      if (health) {
        healthy.set((await health.check()) ? 0 : 1);
        diskFree.set((await health.freeBytes()) ?? Number.NaN);
      }
      const status = await platform.status("own");
      if (status.servers) registry.setDefaultLabels({ server: status.volunteerUrls[0] ?? "" });
      jobs.set(status.jobs);
      for (const state of ["queued", "running", "provisional", "done", "failed"] as const)
        tasks.set({ state }, status.tasks[state]);
      leases.set(status.tasks.running);
      results.set(status.tasks.done + status.tasks.failed);
      dropped.set(status.tasks.droppedResults);
      rate.set(status.rate);
      clients.set({ kind: "browser" }, status.clients.browser);
      clients.set({ kind: "node" }, status.clients.node);
      slots.set({ use: "busy" }, status.clients.busy);
      slots.set({ use: "idle" }, Math.max(0, status.clients.slots - status.clients.busy));
      damaged.set({ what: "records" }, status.damaged.records);
      damaged.set({ what: "blobs" }, status.damaged.blobs);
      blobs.set(status.blobs.count);
      blobBytes.set(status.blobs.bytes);
      blobQuota.set(status.blobs.quotaBytes);
      return registry.metrics();
    },
  };
}

const knownMethods = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]);
