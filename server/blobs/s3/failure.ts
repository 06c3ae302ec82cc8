import { PlatformError, type ErrorCode } from "../../../shared/errors.ts";

/** Codes of S3 for a bucket that takes no more bytes. */
const full = new Set(["QuotaExceeded", "XMinioStorageFull", "ServiceQuotaExceeded"]);
/** Codes of refusals that the same request need not meet again. */
const transient = new Set(["RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable"]);

/** A request that S3 refused, or that was lost. */
export class S3Failure extends PlatformError {
  /** HTTP status; undefined when no whole reply came. */
  readonly reply: number | undefined;
  /** S3's own code, e.g. `NoSuchBucket`. */
  readonly s3Code: string;

  constructor(bucket: string, reply: number | undefined, s3Code: string, said: string, cause?: unknown) {
    const code: ErrorCode = full.has(s3Code) || reply === 507 ? "STORE_FULL" : "STORE_FAILED";
    const what = reply === undefined ? said : `${reply} ${s3Code}${said && `: ${said}`}`;
    super(code, `The bucket ${bucket} of the blobs failed (${what.replace(/\.$/, "")}).`, cause);
    this.reply = reply;
    this.s3Code = s3Code;
  }

  /** Whether the same request may succeed in a moment. */
  get isTransient(): boolean {
    const { reply } = this;
    return (
      reply === undefined ||
      reply === 429 ||
      (reply >= 500 && reply !== 501 && reply !== 507) ||
      transient.has(this.s3Code)
    );
  }
}

/** The text of the first element `name` in a reply of S3, whose replies have no nested elements of one name where this is used. */
export function elementOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.replaceAll(/&(\w+|#\d+);/g, unescape);
}

/** The content of every element `name`. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, "gs"))].map(([, content = ""]) => content);
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescape(whole: string, name: string): string {
  return name.startsWith("#") ? String.fromCodePoint(Number(name.slice(1))) : (entities[name] ?? whole);
}
