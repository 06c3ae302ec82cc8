import { InvalidArgumentError, Option, type Command } from "commander";
import { parseServerAddress, parseServerAddresses } from "../shared/server-address.ts";
import { defaultServerOptions as defaults, type KeepJobs, type ServerOptions } from "./options.ts";
import { messageOf } from "../shared/errors.ts";

const gib = 1024 ** 3;

/** Gives a command every option of a server; each has an environment variable. */
export function addServerFlags(command: Command): void {
  const add = (
    flags: string,
    variable: string,
    text: string,
    value: unknown,
    parse?: (text: string) => unknown,
  ): void => {
    const option = new Option(flags, text).env(variable).default(value);
    if (parse) option.argParser(parse);
    command.addOption(option);
  };
  add(
    "--host <address>",
    "MANYHANDS_HOST",
    "address to listen on; 0.0.0.0 lets other machines in",
    defaults.host,
  );
  add(
    "--port <number>",
    "MANYHANDS_PORT",
    "port to listen on; 0 picks a free one",
    defaults.port,
    whole(0, 65_535),
  );
  add(
    "--data <directory>",
    "MANYHANDS_DATA",
    "where jobs, results and blobs are kept",
    defaults.dataDirectory,
  );
  add(
    "--store <url>",
    "MANYHANDS_STORE",
    "keep jobs and results in PostgreSQL: postgres://user@host/database; what the address leaves open is as in PGPASSWORD and so on",
    defaults.store,
  );
  add("--tls-cert <file>", "MANYHANDS_TLS_CERT", "TLS certificate (PEM); needs --tls-key", undefined);
  add("--tls-key <file>", "MANYHANDS_TLS_KEY", "TLS private key (PEM); needs --tls-cert", undefined);
  command.addOption(
    new Option("--volunteers <mode>", "who may compute without a token")
      .env("MANYHANDS_VOLUNTEERS")
      .choices(["open", "invite", "off"])
      .default(defaults.volunteers),
  );
  add(
    "--project <file>",
    "MANYHANDS_PROJECT",
    "JSON file with title, text, link, picture and colour of what volunteers compute for",
    defaults.project,
  );
  add(
    "--trust-proxy",
    "MANYHANDS_TRUST_PROXY",
    "believe the X-Forwarded-* headers of a proxy in front",
    false,
  );
  add(
    "--allow-host <names>",
    "MANYHANDS_ALLOW_HOST",
    "names under which browsers may reach the server besides its own, separated by commas, e.g. lab,*.example.org",
    defaults.allowHosts,
    hostNames,
  );
  add(
    "--public-url <url>",
    "MANYHANDS_PUBLIC_URL",
    "address under which others reach the server through a proxy, with its path; invitations and pages tell it",
    undefined,
    address,
  );
  add(
    "--servers <urls>",
    "MANYHANDS_SERVERS",
    "addresses of all servers that share their data, for clients to go to another when theirs dies, separated by commas",
    [],
    addresses,
  );
  add(
    "--blobs <place>",
    "MANYHANDS_BLOBS",
    "where several servers keep their blobs: s3://bucket/prefix?endpoint=URL&region=R, or a directory; in --data unless given",
    defaults.blobs,
  );
  add(
    "--blob-quota-gb <n>",
    "MANYHANDS_BLOB_QUOTA_GB",
    "disk for blobs, in GiB",
    defaults.blobQuotaBytes / gib,
    positive,
  );
  add(
    "--customer-quota <gb>",
    "MANYHANDS_CUSTOMER_QUOTA",
    "what one customer may keep (inputs, outputs, blobs, kernels), in GiB; half of --blob-quota-gb unless given",
    undefined,
    positive,
  );
  add(
    "--customer-jobs <n>",
    "MANYHANDS_CUSTOMER_JOBS",
    "jobs that one customer may keep",
    defaults.jobsPerCustomer,
    whole(1, 1e9),
  );
  add(
    "--customer-kernels <n>",
    "MANYHANDS_CUSTOMER_KERNELS",
    "kernels that one customer may keep",
    defaults.kernelsPerCustomer,
    whole(1, 1e9),
  );
  add(
    "--customer-open-tasks <n>",
    "MANYHANDS_CUSTOMER_OPEN_TASKS",
    "tasks of one customer that may wait or run",
    defaults.openTasksPerCustomer,
    whole(1, 1e12),
  );
  add(
    "--blob-keep-hours <n>",
    "MANYHANDS_BLOB_KEEP_HOURS",
    "keep unreferenced blobs and kernels this long",
    defaults.blobKeepMs / 3.6e6,
    positive,
  );
  add(
    "--keep-jobs <times>",
    "MANYHANDS_KEEP_JOBS",
    "how long ended jobs are kept with their results, e.g. 90d, or done=30d,failed=90d,cancelled=7d; for ever unless given",
    defaults.keepJobs,
    keepJobs,
  );
  add(
    "--scrub-mb <n>",
    "MANYHANDS_SCRUB_MB",
    "blobs that the server verifies by itself, in MiB a second; 0 for none",
    defaults.scrubBytesPerSecond / 1024 ** 2,
    notNegative,
  );
  add(
    "--max-connections <n>",
    "MANYHANDS_MAX_CONNECTIONS",
    "clients at once",
    defaults.maxConnections,
    whole(1, 1e6),
  );
  add(
    "--max-connections-per-address <n>",
    "MANYHANDS_MAX_CONNECTIONS_PER_ADDRESS",
    "clients at once from one address",
    defaults.maxConnectionsPerAddress,
    whole(1, 1e6),
  );
  add(
    "--requests-per-minute <n>",
    "MANYHANDS_REQUESTS_PER_MINUTE",
    "HTTP requests a minute from one address",
    defaults.requestsPerMinutePerAddress,
    whole(1, 1e9),
  );
  add(
    "--messages-per-second <n>",
    "MANYHANDS_MESSAGES_PER_SECOND",
    "messages a second from one client",
    defaults.messagesPerSecondPerClient,
    whole(1, 1e9),
  );
  add(
    "--grace-seconds <n>",
    "MANYHANDS_GRACE_SECONDS",
    "a client that vanished keeps its tasks this long",
    defaults.graceMs / 1000,
    positive,
  );
  add(
    "--heartbeat-seconds <n>",
    "MANYHANDS_HEARTBEAT_SECONDS",
    "how often clients are pinged",
    defaults.heartbeatMs / 1000,
    heartbeat,
  );
  add(
    "--quarantine-after <n>",
    "MANYHANDS_QUARANTINE_AFTER",
    "distinct clients a task may kill",
    defaults.quarantineAfter,
    whole(1, 100),
  );
  add(
    "--auditors <n>",
    "MANYHANDS_AUDITORS",
    "sandboxes of the server's own that give a second opinion on what strangers fail at, 0 for none",
    defaults.auditors,
    whole(0, 64),
  );
  add(
    "--no-speculate",
    "MANYHANDS_NO_SPECULATE",
    "give no second lease to the last slow tasks of a job",
    true,
  );
  add(
    "--rendezvous <file>",
    "MANYHANDS_RENDEZVOUS",
    "leave address and client token in this file while the server runs, for `manyhands client --rendezvous`",
    defaults.rendezvous,
  );
  command.addOption(
    new Option("--public-status", "show anybody the project's progress, at /status").env(
      "MANYHANDS_PUBLIC_STATUS",
    ),
  );
  command.addOption(
    new Option("--log-level <level>", "how much is logged")
      .env("MANYHANDS_LOG_LEVEL")
      .choices(["trace", "debug", "info", "warn", "error", "silent"])
      .default(defaults.logLevel),
  );
  command.addOption(
    new Option("--json", "log JSON lines, and print the start-up summary as JSON").env("MANYHANDS_JSON"),
  );
}

/** The options that the parsed flags of {@link addServerFlags} stand for. */
export function readServerFlags(command: Command): { options: ServerOptions; json: boolean } {
  const flags: Record<string, unknown> = { ...command.opts() };
  // Commander takes every value of a switch's variable for yes, "false" included.
  for (const [name, off] of Object.entries({
    trustProxy: false,
    publicStatus: false,
    json: false,
    speculate: true,
  }))
    if (command.getOptionValueSource(name) === "env" && saysNo(command, name)) flags[name] = off;
  return { options: toOptions(flags), json: flags["json"] === true };
}

function toOptions(flags: Record<string, unknown>): ServerOptions {
  const number = (name: string): number => Number(flags[name]);
  const text = (name: string): string | undefined => flags[name] as string | undefined;
  return {
    host: String(flags["host"]),
    port: number("port"),
    dataDirectory: String(flags["data"]),
    store: text("store"),
    tlsCertificate: text("tlsCert"),
    tlsKey: text("tlsKey"),
    volunteers: flags["volunteers"] as ServerOptions["volunteers"],
    publicStatus: flags["publicStatus"] === true,
    logLevel: flags["logLevel"] as ServerOptions["logLevel"],
    publicUrl: text("publicUrl"),
    servers: () => flags["servers"] as readonly string[],
    allowHosts: flags["allowHost"] as readonly string[],
    trustProxy: flags["trustProxy"] === true,
    blobs: text("blobs"),
    blobQuotaBytes: number("blobQuotaGb") * gib,
    customerQuotaBytes: flags["customerQuota"] === undefined ? undefined : number("customerQuota") * gib,
    jobsPerCustomer: number("customerJobs"),
    kernelsPerCustomer: number("customerKernels"),
    openTasksPerCustomer: number("customerOpenTasks"),
    blobKeepMs: number("blobKeepHours") * 3.6e6,
    keepJobs: flags["keepJobs"] as ServerOptions["keepJobs"],
    scrubBytesPerSecond: number("scrubMb") * 1024 ** 2,
    maxConnections: number("maxConnections"),
    maxConnectionsPerAddress: number("maxConnectionsPerAddress"),
    requestsPerMinutePerAddress: number("requestsPerMinute"),
    messagesPerSecondPerClient: number("messagesPerSecond"),
    graceMs: Math.round(number("graceSeconds") * 1000),
    heartbeatMs: Math.max(100, Math.round(number("heartbeatSeconds") * 1000)),
    quarantineAfter: number("quarantineAfter"),
    auditors: number("auditors"),
    speculate: flags["speculate"] !== false,
    project: text("project"),
    rendezvous: text("rendezvous"),
  };
}

function address(text: string): string {
  return read(parseServerAddress, text);
}

function addresses(text: string): readonly string[] {
  return read(parseServerAddresses, text);
}

function read<T>(parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

function hostNames(text: string): readonly string[] {
  const names = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  const wrong = names.find((name) => !/^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name));
  if (wrong === undefined) return names;
  throw new InvalidArgumentError(`"${wrong}" is no host name; expected names such as lab.example.org.`);
}

function saysNo(command: Command, name: string): boolean {
  const variable = command.options.find((option) => option.attributeName() === name)?.envVar ?? "";
  return ["", "0", "false", "no", "off"].includes((process.env[variable] ?? "").toLowerCase());
}

function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
    return value;
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError("Expected a number above 0.");
  return value;
}

const units = { h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

function keepJobs(text: string): KeepJobs {
  const timeOf = (time: string): number => {
    const [, count, unit] = /^(\d+(?:\.\d+)?)([hdw])$/.exec(time) ?? [];
    if (count === undefined)
      throw new InvalidArgumentError(
        `"${time}" is no time; expected one such as 12h, 30d or 8w, or done=30d,failed=90d,cancelled=7d.`,
      );
    return Number(count) * units[unit as keyof typeof units];
  };
  if (!text.includes("=")) {
    const time = timeOf(text.trim());
    return { done: time, failed: time, cancelled: time };
  }
  const times = text.split(",").map((part) => {
    const [end = "", time = ""] = part.trim().split("=");
    if (!["done", "failed", "cancelled"].includes(end))
      throw new InvalidArgumentError(`"${end}" is no end of a job; expected done, failed or cancelled.`);
    return [end, timeOf(time)] as const;
  });
  return Object.fromEntries(times);
}

function notNegative(text: string): number {
  const value = Number(text);
  if (!(value >= 0) || !Number.isFinite(value))
    throw new InvalidArgumentError("Expected a number from 0 on.");
  return value;
}

function heartbeat(text: string): number {
  const value = positive(text);
  if (value > 600) throw new InvalidArgumentError("Expected at most 600 seconds.");
  return value;
}
