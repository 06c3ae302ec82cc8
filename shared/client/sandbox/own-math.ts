/**
 * Declares, ahead of the code that shares a realm with kernels, a `Math` whose `random` is the platform's. comlink calls `Math.random`,
 * and portable sandboxes replace the global one.
 */
export const ownMath = "const Math={__proto__:globalThis.Math,random:globalThis.Math.random}";
