import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { freePort } from "../../bench/harness/services/ports.ts";
import { S3Client } from "../../server/blobs/s3/client.ts";
import { parseS3Place } from "../../server/blobs/s3/place.ts";
import { until } from "./processes.ts";
import { skipped } from "./skipped.ts";

/** A real S3 server with an empty bucket: OpenStack Swift, which verifies signatures, dates and hashes of bodies. */
export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  /** Variables of the AWS tools with credentials without restrictions. */
  readonly env: { readonly AWS_ACCESS_KEY_ID: string; readonly AWS_SECRET_ACCESS_KEY: string };
  /** Requests to the bucket. */
  readonly client: S3Client;
  close(): Promise<void>;
}

const programs = [
  "swift-ring-builder",
  ...["proxy", "account", "container", "object"].map((part) => `swift-${part}-server`),
];
const folders = (process.env["PATH"] ?? "").split(delimiter);
/** Whether the S3 server is installed. */
export const hasS3 = programs.every((name) => folders.some((folder) => existsSync(join(folder, name))));
/** End of the names of tests that need the S3 server. */
export const whyNoS3 = skipped(
  !hasS3,
  "Debian's swift-proxy, swift-account, swift-container and swift-object are not all installed",
);

/** Credentials of a user who may nothing, and whose key is known. */
export const stranger = { AWS_ACCESS_KEY_ID: "lab:stranger", AWS_SECRET_ACCESS_KEY: "strangers-key" };

const parts = ["account", "container", "object"] as const;
const env = { AWS_ACCESS_KEY_ID: "lab:ada", AWS_SECRET_ACCESS_KEY: "secret-key" };
export const generous = { silenceMs: 10_000, patienceMs: 60_000 };

/** Starts an S3 server of four processes on free ports, which keep their data in a directory of their own. */
export async function startS3(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), "manyhands-s3-"));
  const [proxyPort, ...ports] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  await mkdir(join(directory, "devices", "d1"), { recursive: true });
  await writeFile(
    join(directory, "swift.conf"),
    "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_prefix = b\n[storage-policy:0]\nname = gold\ndefault = yes\n",
  );
  const common = (port: number): string =>
    `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nworkers = 0\nuser = ${userInfo().username}\nswift_dir = ${directory}\nlog_level = ERROR\n`;
  await Promise.all(
    parts.map(async (part, at) => {
      const port = ports[at] ?? 0;
      await makeRing(directory, part, port);
      await writeFile(
        join(directory, `${part}-server.conf`),
        `${common(port)}devices = ${join(directory, "devices")}\nmount_check = false\n[pipeline:main]\npipeline = ${part}-server\n[app:${part}-server]\nuse = egg:swift#${part}\n`,
      );
    }),
  );
  await writeFile(join(directory, "proxy-server.conf"), common(proxyPort) + proxyConf);
  const processes = ["proxy", ...parts].map((part) =>
    spawn(`swift-${part}-server`, [join(directory, `${part}-server.conf`)], { stdio: "ignore" }),
  );
  const endpoint = `http://127.0.0.1:${proxyPort}`;
  const bucket = "manyhands";
  const client = new S3Client(parseS3Place(`s3://${bucket}?endpoint=${endpoint}`, env), generous);
  const close = async (): Promise<void> => {
    await Promise.all(processes.map(end));
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await until(() => client.ask({ method: "PUT" }).then(() => true), 60_000);
  } catch (error) {
    await close();
    throw error;
  }
  return { endpoint, bucket, env, client, close };
}

const proxyConf = `cors_allow_origin = *
[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo dlo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = true
cors_preflight_allow_origin = *
[filter:tempauth]
use = egg:swift#tempauth
user_lab_ada = ${env.AWS_SECRET_ACCESS_KEY} .admin
user_lab_stranger = ${stranger.AWS_SECRET_ACCESS_KEY}
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
`;

async function makeRing(directory: string, part: string, port: number): Promise<void> {
  const builder = join(directory, `${part}.builder`);
  for (const command of [
    ["create", "1", "1", "1"],
    ["add", `r1z1-127.0.0.1:${port}/d1`, "1"],
    ["rebalance"],
  ]) {
    const made = spawn("swift-ring-builder", [builder, ...command], { stdio: "ignore" });
    await once(made, "exit");
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
