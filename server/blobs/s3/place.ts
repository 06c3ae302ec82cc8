import { PlatformError } from "../../../shared/errors.ts";

/** Place of blobs in S3, with the addresses at which servers and clients reach them. */
export interface S3Place {
  readonly bucket: string;
  /** Beginning of every key; empty, or with a slash at its end. */
  readonly prefix: string;
  /** Address of the bucket for servers, with a slash at its end. */
  readonly url: string;
  /** Address of the bucket for clients, likewise; undefined when clients fetch from servers alone. */
  readonly clientUrl: string | undefined;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

const known = ["endpoint", "clientEndpoint", "region", "addressing", "signedUrls"];

/**
 * The place that `s3://bucket/prefix?endpoint=…&region=…` stands for. Credentials, and what the address does not say, come from the
 * variables of the AWS tools (https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html).
 * @throws PlatformError BAD_OPTION
 */
export function parseS3Place(text: string, env: NodeJS.ProcessEnv = process.env): S3Place {
  const [, bucket = "", path = "", query = ""] =
    /^s3:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text) ?? [];
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw refused(text, `"${bucket}" is no name of a bucket; expected s3://bucket/prefix`);
  const folder = path.replace(/\/$/, "");
  if (!/^(?:[\w.-]+(?:\/[\w.-]+)*)?$/.test(folder))
    throw refused(text, `the prefix "${path}" has other characters than letters, digits and - _ . /`);
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (!known.includes(name)) throw refused(text, `"${name}" is unknown; expected ${known.join(", ")}`);
  const choice = (name: string, values: readonly string[]): string | undefined => {
    const value = parameters.get(name) ?? undefined;
    if (value === undefined || values.includes(value)) return value;
    throw refused(text, `${name}=${value}; expected ${values.join(" or ")}`);
  };
  const region = parameters.get("region") ?? (env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || "us-east-1");
  if (!/^[\w-]+$/.test(region)) throw refused(text, `"${region}" is no region`);
  const given =
    parameters.get("endpoint") ?? (env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined);
  const endpoint = given ?? `https://s3.${region}.amazonaws.com`;
  // A certificate for *.s3.… does not cover a bucket with a dot in its name.
  const usual = given === undefined && !bucket.includes(".") ? "virtual" : "path";
  const isVirtual = (choice("addressing", ["path", "virtual"]) ?? usual) === "virtual";
  const bucketUrl = (name: string, address: string): string => {
    const url = URL.parse(address);
    if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || url.search || url.username)
      throw refused(text, `${name} "${address}" is no address; expected http(s)://host:port`);
    if (isVirtual) url.host = `${bucket}.${url.host}`;
    else url.pathname = `/${bucket}/`;
    return url.href;
  };
  const { AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" } = env;
  if (accessKeyId === "" || secretAccessKey === "")
    throw refused(text, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
  const isSigned = choice("signedUrls", ["on", "off"]) !== "off";
  return {
    bucket,
    prefix: folder === "" ? "" : `${folder}/`,
    url: bucketUrl("endpoint", endpoint),
    clientUrl: isSigned
      ? bucketUrl("clientEndpoint", parameters.get("clientEndpoint") ?? endpoint)
      : undefined,
    region,
    accessKeyId,
    secretAccessKey,
    sessionToken: env["AWS_SESSION_TOKEN"] || undefined,
  };
}

function refused(text: string, why: string): PlatformError {
  return new PlatformError("BAD_OPTION", `--blobs ${text} cannot be used: ${why}.`);
}
