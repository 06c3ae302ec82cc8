import type { PlatformError } from "../../shared/errors.ts";
import type { ServerMessage } from "../../shared/wire/protocol.ts";

/** The server's end of a client's socket, as the dispatcher sees it. */
export interface ClientConnection {
  /** Whether the connection tells how many bytes its network has taken (`ConnectionServices.onRead`). */
  readonly paced?: boolean;
  /** Queues a message; messages of one event-loop turn leave as one frame. Never throws. */
  send(message: ServerMessage): void;
  /** Asks the client to finish and begin anew; false when its version does not know how. Absent: a client in the server's process. */
  reload?(): boolean;
  /** Ends the connection with a refusal. */
  refuse(error: PlatformError): void;
  /** Ends the connection, telling the client to come back. */
  bye(reason: string, afterMs: number): void;
}
