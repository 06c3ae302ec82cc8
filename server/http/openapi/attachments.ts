import { recordLimits } from "../../../shared/limits.ts";
import type { RouteName } from "../../access/rules.ts";
import { done, ok, type Operation } from "./operation.ts";

export const attachmentOperations = {
  "GET /api/jobs/{id}/attachments": {
    id: "listAttachments",
    summary: "What the customer attached to the job",
    replies: ok("Attachment", true),
  },
  "PUT /api/jobs/{id}/attachments/{name}": {
    id: "attach",
    summary: "Attach a picture, text or table to a job",
    description: `In place of one of the same name. PNG, SVG, text or CSV of at most ${recordLimits.attachmentBytes} bytes, at most ${recordLimits.attachmentsPerJob} of a job, also after its end. They count to the customer's quota, and are deleted with the job.`,
    body: {
      "image/png": "bytes",
      "image/svg+xml": "text",
      "text/plain": "text",
      "text/csv": "text",
    },
    replies: ok("Attachment"),
  },
  "GET /api/jobs/{id}/attachments/{name}": {
    id: "getAttachment",
    summary: "The bytes of an attachment",
    description: "With a Content-Security-Policy under which nothing in it runs or loads.",
    replies: {
      200: {
        description: "As it was attached.",
        content: {
          "image/png": "bytes",
          "image/svg+xml": "text",
          "text/plain": "text",
          "text/csv": "text",
        },
      },
    },
  },
  "DELETE /api/jobs/{id}/attachments/{name}": {
    id: "detach",
    summary: "Take an attachment away",
    replies: done,
  },
} satisfies Partial<Record<RouteName, Operation>>;
