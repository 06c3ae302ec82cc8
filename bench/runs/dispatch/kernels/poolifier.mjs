import { ThreadWorker } from "poolifier";

// What the pool loads is its default export. The task is the identity.
export default new ThreadWorker((input) => input);
