/** A socket without a hello is closed by the server after 10 s, and is of no use to a tab that another tab keeps from computing. */
const unusedMs = 5_000;

/** Opened by the script in the page's head, two round trips before the program could (SPEC.md [PAGE-2]). */
const page = globalThis as { earlySocket?: WebSocket | undefined };

/** The socket that is open, or being opened, to this address; only the first call gets it. */
export function takeEarlySocket(url: string): WebSocket | undefined {
  const socket = page.earlySocket;
  page.earlySocket = undefined;
  if (socket && socket.url === url && socket.readyState <= WebSocket.OPEN) return socket;
  socket?.close();
  return undefined;
}

setTimeout(() => takeEarlySocket(""), unusedMs);
