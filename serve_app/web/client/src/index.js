// The client of Palio, a service for score tournaments. `PalioClient` is where to begin; README.md has examples.

export { PalioClient } from "./client.js";
export { BufferFullError, LiveClosedError, LiveError, NoAnswerError, NotPalioError, PalioError, ProblemError } from "./errors.js";
export { Following, Live } from "./live.js";
export { applyPatch, PatchError } from "./patch.js";
export { ranksOf } from "./ranks.js";
export { Submitter } from "./submitter.js";
