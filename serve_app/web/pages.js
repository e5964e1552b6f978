// What a paged listing has loaded so far, kept fresh page by page.

/**
 * `fetchPage(cursor)` answers `{items, next}`; `key(item)` names an item: one that moved between pages is listed once.
 * Calls run one after the other.
 */
export class Pages {
  #fetch;
  #key;
  #pages = []; // {cursor, items, next}
  #last = Promise.resolve();

  constructor(fetchPage, key) {
    this.#fetch = fetchPage;
    this.#key = key;
  }

  get items() {
    const seen = new Map();
    for (const page of this.#pages) for (const item of page.items) if (!seen.has(this.#key(item))) seen.set(this.#key(item), item);
    return [...seen.values()];
  }

  get loaded() {
    return this.#pages.length > 0;
  }

  get hasMore() {
    return this.#pages.length === 0 || Boolean(this.#pages.at(-1).next);
  }

  /** Load the first or the next page. */
  more() {
    return this.#queue(async () => {
      if (!this.hasMore) return;
      const cursor = this.#pages.at(-1)?.next ?? null;
      this.#pages.push({ cursor, ...(await this.#fetch(cursor)) });
    });
  }

  /** Load again the pages of which `isSeen(items)` says so, and those whose beginning moved thereby. */
  refresh(isSeen = (_items) => true) {
    return this.#queue(async () => {
      for (let index = 0; index < this.#pages.length; index++) {
        const page = this.#pages[index];
        const previous = this.#pages[index - 1];
        const moved = previous !== undefined && previous.next !== page.cursor;
        if (moved && !previous.next) {
          this.#pages.length = index;
          return;
        }
        if (moved) page.cursor = previous.next;
        if (moved || isSeen(page.items)) Object.assign(page, await this.#fetch(page.cursor));
      }
    });
  }

  #queue(work) {
    this.#last = this.#last.catch(() => {}).then(work); // who queued the failed one was told
    return this.#last;
  }
}

/**
 * Call `work()` again and again until `signal` aborts, `everyMs` after it ended; not while the window is hidden. A failure goes to
 * `failed(error)` and lengthens the wait, at least to what the server asked for.
 */
export async function keepDoing(work, everyMs, signal, failed = (_error) => {}) {
  let failures = 0;
  while (!signal.aborted) {
    await pause(everyMs * Math.min(5, 1 + failures), signal);
    while (document.hidden && !signal.aborted) await pause(everyMs, signal);
    if (signal.aborted) return;
    try {
      await work();
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      failed(error);
      if (error.retryAfterS) await pause(error.retryAfterS * 1000, signal);
    }
  }
}

function pause(milliseconds, signal) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const stop = () => {
      clearTimeout(timer);
      resolve();
    };
    signal.addEventListener("abort", stop, { once: true });
  }));
}
