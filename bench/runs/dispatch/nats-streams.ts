export const streams = {
  tasks: { stream: "TASKS", subject: "tasks", consumer: "workers" },
  outputs: { stream: "OUTPUTS", subject: "outputs", consumer: "customer" },
} as const;

/** Messages ahead of a consumer: 47,000/s of consuming alone, and more gain nothing. */
export const inFlight = 5000;
