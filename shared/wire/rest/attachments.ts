import * as v from "valibot";

/** Kinds of attachments: media types, by the endings of their names. */
export const attachmentTypes = {
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain",
  csv: "text/csv",
} as const;
/** Name of an attachment: as a file's, without folders. */
export const attachmentNameSchema = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(100),
  // oxlint-disable-next-line eslint/no-control-regex -- Control characters are what is refused.
  v.regex(/^[^/\\\u0000-\u001f\u007f]+$/, "expected a file name without folders"),
  v.regex(/^(?!\.)/, "expected a name that does not begin with a dot"),
);
export const attachmentSchema = v.object({
  name: v.string(),
  type: v.string(),
  size: v.number(),
  at: v.number(),
});
export type Attachment = v.InferOutput<typeof attachmentSchema>;
