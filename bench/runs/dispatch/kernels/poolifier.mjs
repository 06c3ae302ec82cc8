import { ThreadWorker } from "poolifier";

// The pool loads the default export. The task is the identity.
export default new ThreadWorker((input) => input);
