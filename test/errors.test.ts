import { describe, expect, test } from "vitest";
import { HttpClient } from "../customer/http.ts";
import { PlatformError } from "../shared/errors.ts";

describe("[ERR-1] the refusal in a reply", () => {
  const sent = new PlatformError("NOT_FOUND", "There is no job.", new Error("secret"), "Look again.");

  test("is the one that was sent, with the remedy of the server", () => {
    const text = JSON.stringify(sent.toBody());
    expect(text).not.toContain("secret");
    expect(PlatformError.fromReply(404, text)).toMatchObject({
      code: "NOT_FOUND",
      message: "There is no job.",
      remedy: "Look again.",
    });
  });

  test("has the remedy of the table where the body has none, and INTERNAL for a code of a newer server", () => {
    const { remedy } = new PlatformError("BANNED", "");
    expect(PlatformError.fromReply(403, '{"code":"BANNED","message":"No."}').remedy).toBe(remedy);
    expect(PlatformError.fromReply(418, '{"code":"TEAPOT","message":"No."}')).toMatchObject({
      code: "INTERNAL",
      message: "No.",
    });
  });

  test.each([
    "",
    "<html>Bad gateway</html>",
    "null",
    "[]",
    '{"code":502,"message":"x"}',
    '{"code":"BANNED"}',
  ])("is told by the status where a proxy wrote %j", (text) => {
    expect(PlatformError.fromReply(502, text)).toMatchObject({
      code: "UNREACHABLE",
      message: expect.stringContaining("502") as string,
    });
    const otherwise = (status: number, body: string) => new PlatformError("FORBIDDEN", `${status}${body}`);
    expect(PlatformError.fromReply(403, text, otherwise)).toMatchObject({ message: `403${text}` });
  });

  test("keeps its remedy at the customer when the server says when to come back", async () => {
    const headers = { "retry-after": "60" };
    const http = new HttpClient({
      url: "http://lab/",
      findToken: async () => undefined,
      patienceMs: 0,
      log: () => undefined,
      fetch: async () => new Response(JSON.stringify(sent.toBody()), { status: 404, headers }),
    });
    const request = http.request({ method: "GET", path: "api/jobs/j" }, () => undefined);
    await expect(request).rejects.toMatchObject({ remedy: "Look again.", retryAfterMs: 60_000 });
  });
});
