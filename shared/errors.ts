/**
 * The closed table of refusals (SPEC.md [ERR-1]). Every refusal anywhere in Manyhands carries one of these codes; the
 * message names the fault and the expected value, the table has the remedy.
 */
interface ErrorRow {
  /** Whether the same request may succeed later unchanged. */
  readonly retryable: boolean;
  /** HTTP status of a refusal over HTTP. */
  readonly status: number;
  /** WebSocket close code of a refusal that ends the connection (4000–4999 are for applications, RFC 6455 §7.4.2). */
  readonly closeCode: number;
  /** What the person should do. */
  readonly remedy: string;
}

const table = {
  BAD_REQUEST: row(
    false,
    400,
    4400,
    "Correct the request; GET /api/openapi.json describes what is expected.",
  ),
  BAD_OPTION: row(false, 400, 4400, "Correct the option; --help lists them all."),
  BAD_ARGUMENT: row(false, 400, 4400, "Correct it as the message says."),
  FILE_FAILED: row(false, 400, 4400, "Check the path, and what this user may do there."),
  MALFORMED_FRAME: row(
    false,
    400,
    4400,
    "Update the client: it sent something this protocol version does not have.",
  ),
  UNAUTHENTICATED: row(
    false,
    401,
    4401,
    "Give a valid token: MANYHANDS_TOKEN, --token, or Authorization: Bearer …",
  ),
  FORBIDDEN: row(
    false,
    403,
    4403,
    "Use a token whose role allows this; `manyhands token create --role …` makes one.",
  ),
  BANNED: row(false, 403, 4403, "Ask the administrator of the server, who can lift the ban."),
  INVITE_REQUIRED: row(
    false,
    403,
    4403,
    "Open the invitation link that the server's administrator gave you.",
  ),
  VOLUNTEERS_OFF: row(false, 403, 4403, "This server takes no volunteers; use a client token."),
  ORIGIN_REFUSED: row(
    false,
    403,
    4403,
    "Open the page from the server itself: requests from other origins are refused.",
  ),
  NOT_FOUND: row(false, 404, 4404, "Check the name; it may have been deleted."),
  METHOD_NOT_ALLOWED: row(false, 405, 4405, "GET /api/openapi.json lists the methods of each address."),
  CONFLICT: row(
    false,
    409,
    4409,
    "Use a new key or a new index: this one already stands for something else.",
  ),
  WRONG_STATE: row(false, 409, 4409, "Look at the job's state first: `manyhands jobs`."),
  TOO_LARGE: row(
    false,
    413,
    4413,
    "Send less at once, or put the bytes as a blob and pass a data reference.",
  ),
  UNSUPPORTED_TYPE: row(false, 415, 4415, "Send, or ask for, what the message says is expected."),
  RANGE_NOT_SATISFIABLE: row(false, 416, 4416, "Ask for bytes inside the blob; HEAD tells its size."),
  HASH_MISMATCH: row(true, 422, 4422, "The bytes differ from their SHA-256; send them again."),
  UNKNOWN_BLOB: row(true, 422, 4422, "Put the blob first: PUT /api/blobs/{sha256}."),
  UNKNOWN_KERNEL: row(true, 422, 4422, "Post the kernel first: POST /api/kernels."),
  UNSERIALISABLE: row(
    false,
    422,
    4422,
    "Use JSON values, Uint8Array, typed arrays and data references: no functions, class instances or cycles.",
  ),
  TOO_MANY: row(true, 429, 4429, "Slow down and try again after the time in Retry-After."),
  UPGRADE_REQUIRED: row(
    false,
    426,
    4426,
    "Reload the page, or install the Manyhands version that the server runs and start again.",
  ),
  QUOTA_EXCEEDED: row(false, 507, 4507, "Delete what the message names."),
  STORE_FULL: row(
    true,
    507,
    4507,
    "Free disk space or raise --blob-quota-gb; nothing accepted so far is lost.",
  ),
  STORE_FAILED: row(true, 503, 4503, "Look at the server's log; nothing accepted so far is lost."),
  DATA_DIRECTORY: row(
    false,
    500,
    4500,
    "Choose another --data directory, or mend this one as the message says.",
  ),
  SHUTTING_DOWN: row(true, 503, 4503, "Wait: the server is restarting, and clients reconnect by themselves."),
  UNREACHABLE: row(true, 503, 4503, "Check that the server runs and that the address and port are right."),
  RANKS_GONE: row(
    false,
    503,
    4503,
    "Read what the launcher said; MANYHANDS_MPIRUN and MANYHANDS_MPIOPTS change how ranks are started. The same program with the same key goes on where it stopped.",
  ),
  TIMED_OUT: row(true, 504, 4504, "Try again; raise the limit if it keeps happening."),
  TASK_FAILED: row(
    false,
    422,
    4422,
    "Read the kernel's message and stack; mend the kernel, then requeue the failed tasks.",
  ),
  JOB_CANCELLED: row(false, 409, 4409, "The job was cancelled; submit it again to run it."),
  JOB_QUARANTINED: row(
    false,
    409,
    4409,
    "The kernel failed wherever it was tried; mend it and submit again, or requeue to try once more.",
  ),
  JOB_BLOCKED: row(
    false,
    409,
    4409,
    "A job that this one comes after did not finish well; mend and requeue that one first, then this one.",
  ),
  INTERNAL: row(true, 500, 4500, "This is a defect; the server's log has the details."),
} as const satisfies Record<string, ErrorRow>;

function row(retryable: boolean, status: number, closeCode: number, remedy: string): ErrorRow {
  return { retryable, status, closeCode, remedy };
}

/** A code of the closed table. */
export type ErrorCode = keyof typeof table;

/** Every code, for schemas and documentation. */
export const errorCodes = Object.keys(table) as [ErrorCode, ...ErrorCode[]];

/** A refusal on the wire: the body of an HTTP error, or the content of the socket's `refuse` message. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly retryable: boolean;
}

/** A refusal with a code of the closed table: the fault, the expected value, the remedy. */
export class PlatformError extends Error {
  override readonly name: string = "PlatformError";
  readonly code: ErrorCode;
  /** What the person should do. */
  readonly remedy: string;

  /**
   * @param code - row of the closed table
   * @param message - the fault and the expected value, in one or two sentences
   * @param cause - the original error, kept for logs and never sent to the other side
   * @param remedy - a remedy for a case in which the row's remedy is too general (`hints`)
   */
  constructor(code: ErrorCode, message: string, cause?: unknown, remedy?: string) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.remedy = remedy ?? table[code].remedy;
  }

  /** Whether the same request may succeed later unchanged. */
  get retryable(): boolean {
    return table[this.code].retryable;
  }

  /** HTTP status of this refusal. */
  get status(): number {
    return table[this.code].status;
  }

  /** WebSocket close code of this refusal. */
  get closeCode(): number {
    return table[this.code].closeCode;
  }

  /** The form that crosses a boundary: no cause, no stack. */
  toBody(): ErrorBody {
    return { code: this.code, message: this.message, remedy: this.remedy, retryable: this.retryable };
  }

  /**
   * The refusal in the body of an HTTP reply; an unknown code (a newer server) becomes INTERNAL.
   * @param otherwise - makes the refusal when Manyhands did not write the body: a proxy in front, or another program
   */
  static fromReply(
    status: number,
    text: string,
    otherwise: (status: number, text: string) => PlatformError = () =>
      new PlatformError("UNREACHABLE", `The server answered ${status} without saying why.`),
  ): PlatformError {
    try {
      const { code, message, remedy } = JSON.parse(text) as Record<string, unknown>;
      if (typeof code === "string" && typeof message === "string") {
        const known = code in table ? (code as ErrorCode) : "INTERNAL";
        return new PlatformError(known, message, undefined, typeof remedy === "string" ? remedy : undefined);
      }
    } catch {
      // The body is no JSON object.
    }
    return otherwise(status, text);
  }

  /** A thrown value as a PlatformError: unchanged, or INTERNAL with the thrown value as cause. */
  static from(error: unknown): PlatformError {
    if (error instanceof PlatformError) return error;
    return new PlatformError("INTERNAL", messageOf(error), error);
  }
}

/** The refusal that `toBody` wrote in another thread of this program. */
export function refusalOf({ code, message, remedy }: ErrorBody): PlatformError {
  return new PlatformError(code, message, undefined, remedy);
}

/** The message of a thrown value, which need not be an error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
