import { describe, expect, it } from "vitest";
import { openMemoryStore } from "../../server/store/sqlite/open.ts";
import { openBlobs } from "../../server/blobs/open.ts";
import { parseS3Place } from "../../server/blobs/s3/place.ts";

const keys = { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };

describe("[BLOB-6] a place in S3", () => {
  it("is a bucket of Amazon's, unless an endpoint is given", () => {
    expect(parseS3Place("s3://lab", keys)).toEqual({
      bucket: "lab",
      prefix: "",
      url: "https://lab.s3.us-east-1.amazonaws.com/",
      clientUrl: "https://lab.s3.us-east-1.amazonaws.com/",
      region: "us-east-1",
      accessKeyId: "id",
      secretAccessKey: "secret",
      sessionToken: undefined,
    });
    expect(parseS3Place("s3://lab.example/a/b/?region=eu-west-3", keys)).toMatchObject({
      prefix: "a/b/",
      url: "https://s3.eu-west-3.amazonaws.com/lab.example/",
    });
    expect(parseS3Place("s3://lab?endpoint=http://minio:9000", keys)).toMatchObject({
      url: "http://minio:9000/lab/",
      clientUrl: "http://minio:9000/lab/",
    });
    const virtual = "s3://lab?endpoint=https://s3.example.org&addressing=virtual";
    expect(parseS3Place(virtual, keys).url).toBe("https://lab.s3.example.org/");
  });

  it("may have another address for clients, or none", () => {
    const text = "s3://lab?endpoint=http://minio:9000&clientEndpoint=https://s3.example.org";
    expect(parseS3Place(text, keys)).toMatchObject({
      url: "http://minio:9000/lab/",
      clientUrl: "https://s3.example.org/lab/",
    });
    expect(parseS3Place(`${text}&signedUrls=off`, keys).clientUrl).toBeUndefined();
  });

  it("takes from the variables of the AWS tools what the address does not say; empty ones count as not set", () => {
    const env = { ...keys, AWS_SESSION_TOKEN: "t", AWS_REGION: "r1", AWS_ENDPOINT_URL: "http://s3.lab" };
    expect(parseS3Place("s3://lab", env)).toMatchObject({
      region: "r1",
      url: "http://s3.lab/lab/",
      sessionToken: "t",
    });
    expect(parseS3Place("s3://lab?region=r2&endpoint=http://other", env)).toMatchObject({
      region: "r2",
      url: "http://other/lab/",
    });
    expect(parseS3Place("s3://lab", { ...keys, AWS_REGION: "", AWS_DEFAULT_REGION: "r3" }).region).toBe("r3");
  });

  it.each([
    ["s3://", /no name of a bucket/],
    ["s3://Lab", /"Lab" is no name of a bucket/],
    ["s3://lab/a b", /prefix "a b"/],
    ["s3://lab?endpont=http://x", /"endpont" is unknown; expected endpoint/],
    ["s3://lab?endpoint=minio:9000", /endpoint "minio:9000" is no address/],
    ["s3://lab?endpoint=http://x/path", /is no address/],
    ["s3://lab?clientEndpoint=x", /clientEndpoint "x" is no address/],
    ["s3://lab?signedUrls=no", /signedUrls=no; expected on or off/],
    ["s3://lab?addressing=p", /expected path or virtual/],
    ["s3://lab?region=a/b", /no region/],
  ])("%s is refused", (text, why) => {
    expect(() => parseS3Place(text, keys)).toThrow(
      expect.objectContaining({ code: "BAD_OPTION", message: expect.stringMatching(why) as string }),
    );
  });

  it("needs credentials", () => {
    expect(() => parseS3Place("s3://lab", { AWS_ACCESS_KEY_ID: "id" })).toThrow(
      /AWS_SECRET_ACCESS_KEY are not set/,
    );
  });

  it("other addresses are no places", async () => {
    const store = await openMemoryStore();
    await expect(openBlobs("gs://lab", "unused", { quotaBytes: 1, keepMs: 1, store })).rejects.toMatchObject({
      code: "BAD_OPTION",
      message: expect.stringMatching(/gs:/) as string,
    });
    await store.close();
  });
});
