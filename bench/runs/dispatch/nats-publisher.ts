import { createInbox, type NatsConnection } from "@nats-io/transport-node";

/**
 * Publishes to a stream and calls back once it is stored. The library's own `js.publish` makes a request with a timer for each
 * message: 25,000 messages/s here, against 92,000 when confirmations come to one subscription, in the order of the messages.
 */
export function makePublisher(
  connection: NatsConnection,
  subject: string,
): (data: string | Uint8Array, stored: () => void) => void {
  const reply = createInbox();
  const waiting: (() => void)[] = [];
  let oldest = 0;
  connection.subscribe(reply, {
    callback: (error, message) => {
      if (error) throw error;
      const confirmation = message.string();
      if (confirmation.includes('"error"')) throw new Error(confirmation);
      waiting[oldest++]!();
      if (oldest < 1000) return;
      waiting.splice(0, oldest);
      oldest = 0;
    },
  });
  return (data, stored) => {
    waiting.push(stored);
    connection.publish(subject, data, { reply });
  };
}
