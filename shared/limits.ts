/**
 * Every bound that both ends of a boundary must agree on. A value that crosses a boundary is checked against
 * these once, on arrival.
 */
export const limits = {
  /** A value (input, output) above this many encoded bytes travels as a blob of its own. */
  inlineValueBytes: 256 * 1024,
  /** Largest WebSocket frame, either direction. Leaves room for a bundle of inline values. */
  frameBytes: 16 * 1024 * 1024,
  /** Largest single JSON or MessagePack request body held in memory (streamed bodies are bounded per item). */
  bodyBytes: 16 * 1024 * 1024,
  /** Largest pack of tasks on a customer's WebSocket, which is for few at a time; larger ones are posted. */
  submitSocketBytes: 256 * 1024,
  /** Largest kernel module. WASM embedded as base64 fits; anything larger should be a blob. */
  kernelBytes: 32 * 1024 * 1024,
  /** Largest blob. */
  blobBytes: 16 * 1024 ** 3,
  /**
   * Ranges of large blobs travel, are verified and are cached in pieces of this size. Tried on a stack of 10,000 images of 16 KiB
   * in tasks of 20, node client and server on one machine, moved for 8.2 MB wanted: images in a row 9.4 MB at 64 KiB, 14.2 at
   * 256 KiB, 35.7 at 1 MiB; scattered ones 33, 114 and 163. A task of a whole pass took 29, 10 and 8 ms: kept the middle one.
   */
  chunkBytes: 256 * 1024,
  /** Blobs up to this size are fetched and cached whole, and ranges cut from there; of larger ones only chunks with the bytes asked for travel. */
  wholeBytes: 8 * 1024 * 1024,
  /** Data references of one precache. */
  precacheRefs: 4096,
  /** Names of cached blobs that a client tells in one message, and at the beginning. */
  cachedPerMessage: 4096,
  /** Largest checkpoint state. */
  checkpointBytes: 256 * 1024,
  /**
   * A server shows at least this often that a reply or connection which lasts is alive, so that the other end can tell after three
   * times as long that it is not. Proxies cut a silent connection after 30 to 60 s.
   */
  signOfLifeMs: 5_000,
  /** Messages in one frame. */
  messagesPerFrame: 4096,
  /** Largest first frame of a client: `hello` with all it may hold and have cached. */
  helloBytes: 2 * 1024 * 1024,
  /** Tasks in one message or one request item batch. */
  tasksPerMessage: 4096,
  /** Tasks a client may ask to hold at once. */
  tasksHeldPerClient: 16_384,
  /** Data references named by one task. */
  refsPerTask: 1024,
  /** Slots a client may announce. */
  slotsPerClient: 1024,
  /** Highest task index, so that an index is always an exact integer in every store. */
  maxTaskIndex: 2 ** 40,
  /** Jobs that one job may come after. */
  afterJobs: 1024,
  /** Jobs in one page of a listing. */
  jobsPerPage: 1000,
  nameChars: 200,
  messageChars: 4_000,
  stackChars: 16_000,
  logLineChars: 2_000,
  /** Log lines in one message. */
  logLinesPerMessage: 100,
  minPriority: -1000,
  maxPriority: 1000,
  maxAttempts: 100,
  /** Leases of one task are numbered up to here, those handed back and requeued included. */
  maxAttemptNumber: 1_000_000,
  minTimeoutMs: 10,
  maxTimeoutMs: 7 * 24 * 3600 * 1000,
  minMemoryMb: 16,
  maxMemoryMb: 64 * 1024,
} as const;

/** What a job gets when its customer does not say. */
export const jobDefaults = {
  maxAttempts: 5,
  /** One hour: long enough for a heavy kernel, short enough that a hang is noticed the same day. */
  timeoutMs: 3_600_000,
  memoryMb: 512,
  priority: 0,
} as const;
