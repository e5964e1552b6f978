// What both pages do with their addresses: the part after # names a view, which is opened in `main`, updated, and closed when another comes.

import { discover } from "./api.js";
import { el, setText } from "./dom.js";

const ID = /^[1-9][0-9]{0,18}$/;

/** Whether a part of an address is a tournament's id. */
export const isId = (text) => ID.test(text ?? "");

/**
 * A view: `open(root, parameters, context)` builds it and may return `{update(parameters)}`, which is called where the address changes within
 * it; the context has `signal`, aborted when it closes, and `setTitle(title)`.
 * @typedef {{key: string, open: (root: HTMLElement, parameters: any, context: any) => any, parameters: any}} View
 */

/**
 * Show what the address says, now and from now on. `find({path, parts, parameters})` names the view, or null where there is none; `context` is
 * given to all views. Returns a function that opens the present one anew.
 * @param {string} product @param {(address: {path: string, parts: string[], parameters: Record<string, string>}) => View | null} find
 */
export function showViews(product, find, context = {}) {
  const main = document.getElementById("main");
  let shown = null; // {key, view, abort}

  function setTitle(title) {
    document.title = title ? `${title} · ${product}` : product;
  }

  function show() {
    if (location.hash === "#main") return; // the skip link
    const [path, query] = location.hash.replace(/^#/, "").split("?");
    const asked = Object.fromEntries(new URLSearchParams(query ?? ""));
    const { key, open, parameters } = find({ path, parts: path.split("/").filter(Boolean), parameters: asked }) ?? { key: path, open: nothingHere, parameters: asked };
    if (shown?.key === key && shown.view?.update) {
      shown.view.update(parameters);
      return;
    }
    const first = shown === null;
    shown?.abort.abort();
    const abort = new AbortController();
    main.replaceChildren();
    shown = { key, abort, view: null };
    shown.view = open(main, parameters, { ...context, signal: abort.signal, setTitle });
    if (first) return;
    scrollTo(0, 0);
    if (!main.contains(document.activeElement)) main.focus({ preventScroll: true }); // unless the view has put it somewhere
  }

  addEventListener("hashchange", show);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  show();
  discover().then(
    (info) => setText(document.getElementById("version"), info.version ? `Version ${info.version}.` : ""),
    () => {}, // the views say that the server cannot be reached
  );
  return () => {
    shown.key = null;
    show();
  };
}

function nothingHere(root, _parameters, context) {
  context.setTitle("Not found");
  root.append(el("section", { class: "notice" }, el("h1", { text: "There is nothing here" }), el("p", {}, el("a", { href: "#/", text: "All tournaments" }))));
  return {};
}
