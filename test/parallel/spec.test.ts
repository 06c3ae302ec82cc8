import { describe, expect, it } from "vitest";
import { parallelGrammar, parseParallel, type ParallelSpec } from "../../parallel/spec.ts";
import { PlatformError } from "../../shared/errors.ts";

const options = {};

describe("[PAR-1] values of --parallel", () => {
  const good: [string, ParallelSpec][] = [
    ["dc:localhost:9990", { type: "dc", url: "http://localhost:9990", options }],
    ["dc:head", { type: "dc", url: "http://head:9990", options }],
    ["dc:host=head:port=80", { type: "dc", url: "http://head:80", options }],
    ["dc:port=80:host=head", { type: "dc", url: "http://head:80", options }],
    ["dc:[fe80::1]:99", { type: "dc", url: "http://[fe80::1]:99", options }],
    ["head.lab.org:9990", { type: "dc", url: "http://head.lab.org:9990", options }],
    ["http://head:1/lab/", { type: "dc", url: "http://head:1/lab/", options }],
    [
      "http://a:1,https://b/lab, http://[::1]:2:name=x",
      { type: "dc", url: "http://a:1,https://b/lab,http://[::1]:2", options: { name: "x" } },
    ],
    ["https://[::1]:99:priority=3", { type: "dc", url: "https://[::1]:99", options: { priority: 3 } }],
    ["thread:4", { type: "thread", threads: 4, options }],
    [" thread:auto ", { type: "thread", threads: "auto", options }],
    ["thread:4:/scratch", { type: "thread", threads: 4, scratch: "/scratch", options }],
    ["thread:threads=4:scratch=/s", { type: "thread", threads: 4, scratch: "/s", options }],
    [
      "thread:4:/a\\:b:name=c\\\\d",
      { type: "thread", threads: 4, scratch: "/a:b", options: { name: "c\\d" } },
    ],
    ["mpi:16:/scratch", { type: "mpi", ranks: 16, scratch: "/scratch", options }],
    [
      "mpi:2:/s:priority=-9:name=night run:token=mh_x:cache=/local",
      {
        type: "mpi",
        ranks: 2,
        scratch: "/s",
        options: { priority: -9, name: "night run", token: "mh_x", cache: "/local" },
      },
    ],
  ];
  it.each(good)("%s", (text, spec) => expect(parseParallel(text)).toEqual(spec));
});

describe("[PAR-2] a bad string is shown with the place and the grammar", () => {
  const bad: [text: string, at: string, what: string][] = [
    ["threads:4", "^", "expected dc, thread, mpi or the address"],
    ["", "^", "expected dc, thread, mpi or the address"],
    ["thread", "      ^", "the number of threads"],
    ["thread:", "       ^", "a value for threads"],
    ["thread:0", "       ^", "auto or a whole number from 1 to 1024"],
    ["thread:2.5", "       ^", "auto or a whole number"],
    ["thread:4:/a:/b", "            ^", "the end, or key=value"],
    ["thread:4:prio=3", "         ^", '"prio" is no option here'],
    ["thread:4:priority=x", "                  ^", "a whole number from -1000 to 1000"],
    ["thread:4:priority=1:priority=2", "                    ^", "priority stands there twice"],
    ["dc:", "   ^", "a value for host"],
    ["dc:a b:1", "   ^", "is no host"],
    ["dc:a:99999", "     ^", "a whole number from 1 to 65535"],
    ["dc:[::1:4", "   ^", "is no host"],
    ["mpi:4", "     ^", "a scratch directory"],
    ["mpi:x:/s", "    ^", "a whole number"],
    ["http://x:1?y", "          ^", "the end, or options behind a colon"],
    ["https://:3", "^", "is no address"],
    ["http://a:1,https://:3", "           ^", "is no address"],
    ["http://a:1,b:2", "          ^", "the end, or options behind a colon"],
  ];
  it.each(bad)("%s", (text, at, what) => {
    const refusal = refusalOf(text);
    expect(refusal.code).toBe("BAD_OPTION");
    expect(refusal.message).toContain(what);
    expect(refusal.message).toContain(`\n  ${text}\n  ${at}\n`);
    expect(refusal.message).toContain(parallelGrammar);
  });
});

function refusalOf(text: string): PlatformError {
  try {
    parseParallel(text);
  } catch (error) {
    if (error instanceof PlatformError) return error;
    throw error;
  }
  throw new Error(`"${text}" was taken`);
}
