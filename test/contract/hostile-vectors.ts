import type { KernelVector } from "./kernel-vectors.ts";

/**
 * Attempts to escape that make sense on any platform. Each kernel returns the reached objects as text; a tight sandbox leaves
 * the list empty.
 */
export const hostileVectors: readonly KernelVector[] = [
  hostile("the network", {
    fetch: "await fetch(target + '/fetch').then((r) => r.status)",
    "fetch without cors": "await fetch(target + '/no-cors', { mode: 'no-cors' }).then((r) => r.type)",
    XMLHttpRequest: `await new Promise((resolve, reject) => {
      const r = new XMLHttpRequest(); r.open("GET", target + "/xhr"); r.onload = () => resolve(r.status); r.onerror = reject; r.send();
    })`,
    WebSocket: `await new Promise((resolve, reject) => {
      const s = new WebSocket(target.replace("http", "ws")); s.onopen = () => resolve("open"); s.onerror = reject;
    })`,
    EventSource: `await new Promise((resolve, reject) => {
      const s = new EventSource(target); s.onopen = () => resolve("open"); s.onerror = reject;
    })`,
    WebTransport: "new WebTransport(target.replace('http:', 'https:'))",
    RTCPeerConnection: "new RTCPeerConnection()",
    sendBeacon: "navigator.sendBeacon(target + '/beacon') || undefined",
    importScripts: "importScripts(target + '/script.js')",
  }),
  hostile("imports", {
    http: "await import(target + '/module.js')",
    data: "(await import('data:text/javascript,export default 1')).default",
    blob: `await import(URL.createObjectURL(new Blob(["export default 1"], { type: "text/javascript" })))`,
    "file of the host": "await import('file:///etc/hostname')",
    "relative path": "await import('./package.json', { with: { type: 'json' } })",
    "bare name": "await import('comlink')",
    builtin: "await import('node:fs')",
    "builtin without prefix": "await import('fs')",
    "import made by Function": "await new Function('return import(\"node:fs\")')()",
    "import made by eval": "await (0, eval)('import(\"node:fs\")')",
  }),
  hostile("storage", {
    localStorage: "localStorage.setItem('x', '1') ?? 'written'",
    sessionStorage: "sessionStorage.setItem('x', '1') ?? 'written'",
    indexedDB: `await new Promise((resolve, reject) => {
      const r = indexedDB.open("x"); r.onsuccess = () => resolve("open"); r.onerror = reject;
    })`,
    caches: "await caches.open('x')",
    cookie: "document.cookie",
    "storage directory": "await navigator.storage.getDirectory()",
  }),
  hostile("other contexts", {
    Worker: "new Worker('data:text/javascript,1')",
    SharedWorker: "new SharedWorker('data:text/javascript,1')",
    BroadcastChannel: "new BroadcastChannel('manyhands').name",
    document: "document.title",
    parent: "parent.location.href",
    opener: "opener.location.href",
    serviceWorker: "await navigator.serviceWorker.ready",
  }),
  {
    name: "hostile: stays sane when the kernel breaks the language around it",
    source: `export default () => {
      for (const type of [Array, Map, Set, Promise, Uint8Array, String])
        for (const key of ["map", "push", "set", "get", "then", "slice"])
          if (key in type.prototype && !(type === Promise && key === "then"))
            try { type.prototype[key] = () => { throw new Error("broken " + key); }; } catch {}
      return 1;
    };`,
    input: null,
    expect: { state: "survives" },
  },
];

/** A kernel that makes several attempts, each an expression, and returns the successful ones. */
export function hostile(name: string, attempts: Readonly<Record<string, string>>): KernelVector {
  const list = Object.entries(attempts).map(
    ([label, expression]) => `[${JSON.stringify(label)}, async () => (${expression})],`,
  );
  return {
    name: `hostile: ${name}`,
    // An attempt that is pending for 1.5 s has reached nothing, and must not hold up the others: a sandbox may leave a request unanswered.
    source: `const patience = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 1500))]);
export default async (target) => {
  const attempts = [
    ${list.join("\n    ")}
  ];
  const reached = [];
  await Promise.all(attempts.map(async ([label, attempt]) => {
    try {
      const got = await patience(attempt());
      if (got !== undefined && got !== null) reached.push(label + ": " + String(got).slice(0, 100));
    } catch {}
  }));
  return reached;
};`,
    input: "http://127.0.0.1:9",
    expect: { state: "done", output: [] },
  };
}
