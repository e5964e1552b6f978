export { PalioClient } from "./client.js";
export { ranksOf } from "./ranks.js";
export { Submitter } from "./submitter.js";
export { BufferFullError, LiveClosedError, LiveError, NoAnswerError, NotPalioError, PalioError, ProblemError } from "./errors.js";
export { Following, Live } from "./live.js";
export { applyPatch, PatchError } from "./patch.js";
