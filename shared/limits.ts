/** Bounds that both ends of a boundary share. A value that crosses the boundary is checked once, on arrival. */
export const limits = {
  /** A larger encoded input or output travels as a blob of its own. */
  inlineValueBytes: 256 * 1024,
  /** Largest WebSocket frame in either direction, with room for a bundle of inline values. */
  frameBytes: 16 * 1024 * 1024,
  /** Largest single JSON or MessagePack request body held in memory (streamed bodies are bounded per item). */
  bodyBytes: 16 * 1024 * 1024,
  /** Largest pack of tasks on a customer's WebSocket, which is for few tasks at a time; larger packs are posted. */
  submitSocketBytes: 256 * 1024,
  /** Largest kernel module, with room for WASM as base64; larger data should be a blob. */
  kernelBytes: 32 * 1024 * 1024,
  /** Largest blob. */
  blobBytes: 16 * 1024 ** 3,
  /**
   * Ranges of large blobs travel in chunks of this size, each verified and cached by itself: a range of 64 KiB moves one or two. Their
   * digests are 0.05 % of the blob.
   */
  chunkBytes: 64 * 1024,
  /** Chunks of clients of 0.2.0. */
  formerChunkBytes: 256 * 1024,
  /** Blobs up to this size are fetched and cached whole. Of larger blobs only the chunks that hold the wanted bytes travel. */
  wholeBytes: 8 * 1024 * 1024,
  /** Data references of one precache. */
  precacheRefs: 4096,
  /** Names of cached blobs in one message, and in `hello`. */
  cachedPerMessage: 4096,
  /** What a kernel shows (`ctx.show`): characters of a text, bytes of a PNG, width and height in pixels. */
  shownChars: 500,
  shownBytes: 128 * 1024,
  shownSide: 256,
  /** Largest checkpoint state. */
  checkpointBytes: 256 * 1024,
  /**
   * The server sends a sign of life on each lasting reply or connection at least this often; the other end doubts a connection on
   * which it is late by 1 s, and takes a silence of 14 to 15 s for the server's death. Proxies cut a silent connection after 30 to 60 s.
   */
  signOfLifeMs: 3_500,
  messagesPerFrame: 4096,
  /** Largest first frame of a client: `hello` with the most leases and cached blobs. */
  helloBytes: 2 * 1024 * 1024,
  /** Tasks in one message, or in one batch of a request. */
  tasksPerMessage: 4096,
  /** Tasks a client may ask to hold at once. */
  tasksHeldPerClient: 16_384,
  refsPerTask: 1024,
  /** Outputs of a job's source in one input. */
  outputsPerTask: 1024,
  /** Inline bytes of an input that consists of several outputs. */
  groupBytes: 2 * 1024 * 1024 + 4096,
  /** Slots a client may announce. */
  slotsPerClient: 1024,
  /** Highest task index: every store holds such an index exactly. */
  maxTaskIndex: 2 ** 40,
  /** Jobs that one job may come after. */
  afterJobs: 1024,
  jobsPerPage: 1000,
  /** Addresses of servers in a list. */
  servers: 16,
  addressChars: 200,
  nameChars: 200,
  /** Longest description of a job, for the people whose machines compute it. */
  descriptionChars: 1_000,
  messageChars: 4_000,
  stackChars: 16_000,
  logLineChars: 2_000,
  logLinesPerMessage: 100,
  minPriority: -1000,
  maxPriority: 1000,
  maxAttempts: 100,
  /** Most cohorts whose results a job may ask to agree. */
  maxQuorum: 7,
  /** Highest attempt number. Leases that were handed back or requeued have numbers, too. */
  maxAttemptNumber: 1_000_000,
  /** Attempts from this number on are calls of verifying functions, whose values are never outputs of tasks. */
  firstCallAttempt: 500_000,
  minTimeoutMs: 10,
  maxTimeoutMs: 7 * 24 * 3600 * 1000,
  minMemoryMb: 16,
  maxMemoryMb: 64 * 1024,
} as const;

/** Options of a job that its customer leaves out. */
export const jobDefaults = {
  maxAttempts: 5,
  /** One hour: long enough for a heavy kernel, short enough that a hang shows the same day. */
  timeoutMs: 3_600_000,
  memoryMb: 512,
  priority: 0,
} as const;

/** Bounds on what the server keeps and tells of jobs beside their tasks. */
export const recordLimits = {
  /** Bytes of an attachment of a job, and attachments of a job. */
  attachmentBytes: 4 * 1024 * 1024,
  attachmentsPerJob: 32,
  /** Failures of a job that are grouped, and groups. */
  groupedFailures: 100_000,
  failureGroups: 100,
  /** Customers with quotas of their own. */
  ownQuotas: 10_000,
  /** Jobs that one request changes, or whose failed tasks it tries again. */
  changedJobs: 10_000,
  /** Actions of administrators that are kept, the newest. */
  auditEntries: 10_000,
  /** Entries of a page of the audit log. */
  auditPage: 200,
} as const;
