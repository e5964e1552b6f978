// JSON Patch (RFC 6902) over JSON Pointer (RFC 6901).

/** A patch that does not fit the document, or is none. */
export class PatchError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "PatchError";
  }
}

/**
 * Apply a patch and return the new document. The given one is left as it was, so a patch that fails half-way changes
 * nothing (RFC 6902, section 5). Throws PatchError.
 * @param {any} document @param {any} operations @returns {any}
 */
export function applyPatch(document, operations) {
  if (!Array.isArray(operations)) throw new PatchError("expected a list of operations");
  const root = { document: structuredClone(document) };
  for (const operation of operations) applyOne(root, operation);
  return root.document;
}

/** @param {{document: any}} root @param {any} operation @returns {void} */
function applyOne(root, operation) {
  if (!isObject(operation)) throw new PatchError("expected an operation object");
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case "add":
      return add(root, path, structuredClone(member(operation, "value")));
    case "remove":
      return remove(root, path);
    case "replace":
      return replace(root, path, structuredClone(member(operation, "value")));
    case "move": {
      const from = parsePointer(operation.from);
      if (path.length > from.length && from.every((token, index) => token === path[index]))
        throw new PatchError(`cannot move ${operation.from} into itself`);
      const value = get(root, from);
      if (path.length === from.length && from.every((token, index) => token === path[index])) return undefined;
      remove(root, from);
      return add(root, path, value);
    }
    case "copy":
      return add(root, path, structuredClone(get(root, parsePointer(operation.from))));
    case "test":
      if (!equal(get(root, path), member(operation, "value"))) throw new PatchError(`test failed at ${operation.path}`);
      return undefined;
    default:
      throw new PatchError(`unknown operation ${String(operation.op)}`);
  }
}

/** @param {any} operation @param {string} name */
function member(operation, name) {
  if (!Object.hasOwn(operation, name)) throw new PatchError(`${operation.op} lacks ${name}`);
  return operation[name];
}

/** Split a JSON Pointer into its tokens. Throws PatchError. @param {unknown} pointer @returns {string[]} */
export function parsePointer(pointer) {
  if (typeof pointer !== "string") throw new PatchError("expected a JSON Pointer");
  if (pointer === "") return [];
  if (pointer[0] !== "/" || /~(?![01])/.test(pointer)) throw new PatchError(`bad JSON Pointer ${pointer}`);
  return pointer.slice(1).split("/").map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Where a list token points: 0 .. length - 1, or length when inserting ("-" is the end). @param {unknown[]} list @param {string} token @param {boolean} inserting */
function listIndex(list, token, inserting) {
  if (inserting && token === "-") return list.length;
  if (!/^(0|[1-9][0-9]*)$/.test(token)) throw new PatchError(`bad list index ${token}`);
  const index = Number(token);
  if (index > list.length - (inserting ? 0 : 1)) throw new PatchError(`no list index ${token}`);
  return index;
}

/** @param {any} container @param {string} token @returns {any} */
function child(container, token) {
  if (Array.isArray(container)) return container[listIndex(container, token, false)];
  if (isObject(container) && Object.hasOwn(container, token)) return container[token];
  throw new PatchError(`nothing at ${token}`);
}

/** @param {{document: any}} root @param {string[]} path @returns {any} */
function get(root, path) {
  return path.reduce(child, root.document);
}

/** @param {{document: any}} root @param {string[]} path @returns {any} */
function parent(root, path) {
  return get(root, path.slice(0, -1));
}

/** @param {{document: any}} root @param {string[]} path @param {any} value */
function add(root, path, value) {
  if (path.length === 0) {
    root.document = value;
    return;
  }
  const container = parent(root, path);
  const token = path[path.length - 1];
  if (Array.isArray(container)) container.splice(listIndex(container, token, true), 0, value);
  else if (isObject(container)) set(container, token, value);
  else throw new PatchError(`cannot add ${token} to a plain value`);
}

/** @param {{document: any}} root @param {string[]} path @param {any} value */
function replace(root, path, value) {
  if (path.length === 0) {
    root.document = value;
    return;
  }
  const container = parent(root, path);
  const token = path[path.length - 1];
  child(container, token); // must be there
  if (Array.isArray(container)) container[Number(token)] = value;
  else set(container, token, value);
}

/** @param {{document: any}} root @param {string[]} path */
function remove(root, path) {
  if (path.length === 0) throw new PatchError("cannot remove the whole document");
  const container = parent(root, path);
  const token = path[path.length - 1];
  child(container, token); // must be there
  if (Array.isArray(container)) container.splice(Number(token), 1);
  else delete container[token];
}

/** Set an own member, whatever its name ("__proto__" too: it is only data here). @param {object} object @param {string} name @param {unknown} value */
function set(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} a @param {unknown} b @returns {boolean} */
function equal(a, b) {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]));
}
