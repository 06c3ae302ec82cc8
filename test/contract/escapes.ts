/** A kernel that tries every way out of a worker; each attempt must be blocked. The output tells how. */
export const escapes = `
  const attempts = {
    fetch: ({ url }) => fetch(url),
    request: ({ url }) => new Request(url),
    xhr: ({ url }) => { const x = new XMLHttpRequest(); x.open("GET", url, false); x.send(); },
    webSocket: ({ ws }) => new WebSocket(ws),
    webSocketStream: ({ ws }) => new WebSocketStream(ws),
    eventSource: ({ url }) => new EventSource(url),
    webTransport: () => new WebTransport("https://localhost:1/"),
    rtc: () => new RTCPeerConnection(),
    importScripts: ({ url }) => importScripts(url),
    importRemote: ({ url }) => import(url),
    importData: () => import("data:text/javascript,export default 1"),
    evalImport: ({ url }) => (0, eval)("import(" + JSON.stringify(url) + ")"),
    functionImport: ({ url }) => new Function("url", "return import(url)")(url),
    wasmStreaming: ({ url }) => WebAssembly.compileStreaming(fetch(url)),
    indexedDb: () => indexedDB.open("x"),
    caches: () => caches.open("x"),
    storage: () => navigator.storage.getDirectory(),
    fileSystem: () => webkitRequestFileSystemSync(0, 1),
    broadcast: () => new BroadcastChannel("manyhands-blobs"),
    notification: () => Notification.permission.length,
    worker: () => new Worker("data:text/javascript,1"),
    blobWorker: () => new Worker(URL.createObjectURL(new Blob(["1"]))),
    sharedWorker: () => new SharedWorker("/arbiter.js"),
    navigator: () => navigator.userAgent.length,
    beacon: ({ url }) => navigator.sendBeacon(url),
    locks: () => navigator.locks.request("manyhands-computing", () => 1),
    gpu: () => navigator.gpu.requestAdapter(),
    location: () => location.href,
    origin: () => origin.length,
    parent: () => parent.length,
    top: () => top.length,
    opener: () => opener.length,
    document: () => document.title,
    window: () => window.name,
    postMessage: () => postMessage("forged"),
    selfPostMessage: () => self.postMessage("forged"),
    prototypePostMessage: () => Object.getPrototypeOf(globalThis).postMessage.call(globalThis, "forged"),
    close: () => close(),
    channel: () => new MessageChannel(),
    fontFace: ({ url }) => new FontFace("x", "url(" + url + ")").load(),
    canvas: () => new OffscreenCanvas(1, 1),
    imageBitmap: () => createImageBitmap(new ImageData(1, 1)),
    fileReader: () => new FileReaderSync(),
    objectUrl: () => URL.createObjectURL(new Blob([])),
    reportError: () => reportError(new Error("x")),
    scheduler: () => scheduler.postTask(() => 1),
    trustedTypes: () => trustedTypes.createPolicy("x", {}),
    name: () => name.length,
    require: () => require("fs"),
    process: () => process.env,
  };
  export default async (where) => {
    const found = {};
    for (const [name, attempt] of Object.entries(attempts)) {
      try {
        const value = await attempt(where);
        found[name] = "ESCAPED: " + String(value).slice(0, 50);
      } catch (error) {
        found[name] = "blocked: " + error.message;
      }
    }
    return found;
  };`;
