/**
 * Apply a patch and return the new document. The given one is left as it was, so a patch that fails half-way changes
 * nothing (RFC 6902, section 5). Throws PatchError.
 * @param {any} document @param {any} operations @returns {any}
 */
export function applyPatch(document: any, operations: any): any;
/** Split a JSON Pointer into its tokens. Throws PatchError. @param {unknown} pointer @returns {string[]} */
export function parsePointer(pointer: unknown): string[];
/** A patch that does not fit the document, or is none. */
export class PatchError extends Error {
    /** @param {string} message */
    constructor(message: string);
}
