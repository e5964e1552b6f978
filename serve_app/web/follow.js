// One tournament followed: its view, with what the live socket says over it, and asked for again where that is silent.

import { keepDoing } from "./pages.js";

const POLL_MS = 3000; // while the socket is down; when it is up every fifth time, for the spec's edits

/**
 * `getView()` answers the view. `show(view, before)` is called with each change (`before` null for the first), `failed(error)` where the view
 * could not be had, `refused(error)` where the server does not let this visitor follow live (null: it does again), `me(message)` with the
 * visitor's standing. Returns `{view, refused, load}`.
 */
export function followTournament({ id, live, getView, signal }, { show, failed, refused: toldRefused, me = undefined }) {
  let stop = null; // ends the subscription
  const followed = { view: null, refused: false, load };

  function take(next, { fromLive = false } = {}) {
    const before = followed.view;
    followed.view = { ...before, ...next };
    show(followed.view, before);
    if (before && before.status !== followed.view.status && fromLive) void load(); // the times may be new, and the rest of the spec with them
  }

  async function load() {
    try {
      const { position: _position, frozen = false, ...fetched } = await getView();
      if (signal.aborted) return;
      const newer = followed.view !== null && live.state === "live" && !followed.refused;
      if (newer) for (const name of ["status", "participants", "top"]) delete fetched[name]; // the socket is ahead of a cached view
      take({ ...fetched, frozen });
      stop ??= watch();
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }

  function setRefused(error) {
    followed.refused = error !== null;
    toldRefused(error);
  }

  const watch = () =>
    live.watch(id, {
      data(data) {
        if (followed.refused) setRefused(null);
        take(data.status === "finished" ? { ...data, frozen: false } : data, { fromLive: true });
      },
      ...(me ? { me } : {}), // else it is not asked for
      error: (error) => setRefused(error),
    });

  void load();
  let turn = 0;
  keepDoing(async () => {
    turn += 1;
    if (live.state !== "live" || followed.refused || turn % 5 === 0) await load();
  }, POLL_MS, signal);
  signal.addEventListener("abort", () => stop?.(), { once: true });
  return followed;
}
