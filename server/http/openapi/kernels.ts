import { wheelBytes } from "../../../shared/wheel.ts";
import type { RouteName } from "../../access/rules.ts";
import { done, either, made, ok, type Operation } from "./operation.ts";

export const kernelOperations = {
  "POST /api/kernels": {
    id: "postKernel",
    summary: "Store a kernel: an ES module whose default export is the function",
    body: { "text/javascript": "text", "application/javascript": "text", ...either("PostKernel") },
    replies: made("BlobName"),
  },
  "POST /api/kernels/python": {
    id: "postPythonKernel",
    summary: "Make and store the kernel of a function in Python",
    description:
      "Needs Pyodide (`npm install pyodide`) on the server. Each task of a job with the kernel names the blobs in `refs` beside those of its input; they are the caller's from then on. Wheels of the server that have modules of `imports` come along; `missing` are the other imports.",
    body: either("PythonProgram"),
    replies: made("PythonKernel"),
  },
  "GET /api/runtime/wheels": {
    id: "listWheels",
    summary: "Packages that the server has for functions in Python",
    replies: ok("Wheel", true),
  },
  "GET /api/runtime/wheels/{file}": {
    id: "getWheel",
    summary: "The bytes of a wheel",
    replies: {
      200: { description: "As it was put.", content: { "application/octet-stream": "bytes" } },
    },
  },
  "PUT /api/runtime/wheels/{file}": {
    id: "putWheel",
    summary: "Have a package for functions in Python",
    description: `A wheel of pure Python, or one for the server's Pyodide, of at most ${wheelBytes} bytes; BAD_ARGUMENT for others. In place of one of the same file name.`,
    body: { "application/octet-stream": "bytes" },
    replies: made("Wheel"),
  },
  "DELETE /api/runtime/wheels/{file}": {
    id: "deleteWheel",
    summary: "Have a package no more",
    description: "Kernels that were made with it go on.",
    replies: done,
  },
  "POST /api/kernels/command": {
    id: "postCommandKernel",
    summary: "Make and store the kernel of a command that is installed on clients",
    description:
      'Its jobs have `requires: {"command": …}` with the same name. Arguments and standard input have placeholders for the task\'s input, such as `{input}`. Blobs in `files` and `stdin` are named by each task beside those of its input.',
    body: either("CommandKernel"),
    replies: made("BlobName"),
  },
  "GET /api/kernels": {
    id: "listKernels",
    summary: "The caller's kernels; an admin's: all",
    replies: ok("BlobName", true),
  },
  "GET /api/kernels/{sha256}": {
    id: "getKernel",
    summary: "Source of a kernel",
    replies: { 200: { description: "The module.", content: { "text/javascript": "text" } } },
  },
  "DELETE /api/kernels/{sha256}": {
    id: "deleteKernel",
    summary: "Give up a kernel that no job of the caller uses",
    description: "It goes when no other customer has it. An admin's: from every customer.",
    replies: done,
  },
  "GET /wasi.js": {
    id: "getProgramCode",
    summary: "The code with which kernels of WASI programs begin",
    description:
      "A script that declares `manyhandsWasi`; `manyhandsWasi.programKernel(definition)` is the kernel of a program (docs/programs.md).",
    replies: {
      200: { description: "The code. ETag is its SHA-256.", content: { "text/javascript": "text" } },
      304: { description: "If-None-Match names it: nothing is sent." },
    },
  },
} satisfies Partial<Record<RouteName, Operation>>;
