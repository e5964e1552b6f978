// Where the page begins: what the address says is shown, and who plays is in the header.

import { discover, liveUrl, rediscover } from "./api.js";
import { announce } from "./announce.js";
import { el, setText } from "./dom.js";
import { emblem } from "./emblem.js";
import { listView } from "./list.js";
import { Live } from "./live.js";
import { onPlayerChange, player, signOut } from "./player.js";
import { tournamentView } from "./tournament.js";

const main = document.getElementById("main");
const live = new Live(
  async () => {
    try {
      return await liveUrl();
    } finally {
      rediscover(); // asked again at the next connection: the gateway may have moved
    }
  },
  (error) => signOut(error?.message ?? "Your token was not accepted."),
);
let shown = null; // {key, view, abort}

/** `#/`, `#/?status=running&q=exam`, `#/t/<id>`. */
function route() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  const parameters = Object.fromEntries(new URLSearchParams(query ?? ""));
  if (parts.length === 0) return { key: "list", open: listView, parameters };
  if (parts.length === 2 && parts[0] === "t" && /^[1-9][0-9]{0,18}$/.test(parts[1])) return { key: path, open: tournamentView, parameters: { id: parts[1] } };
  return { key: path, open: nothingHere, parameters };
}

function show() {
  if (location.hash === "#main") return; // the skip link
  const { key, open, parameters } = route();
  if (shown?.key === key && shown.view.update) {
    shown.view.update(parameters);
    return;
  }
  shown?.abort.abort();
  const first = shown === null;
  const abort = new AbortController();
  main.replaceChildren();
  shown = { key, abort, view: null };
  shown.view = open(main, parameters, { live, signal: abort.signal, setTitle });
  if (first) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

function nothingHere(root, _parameters, context) {
  context.setTitle("Not found");
  root.append(el("section", { class: "notice" }, el("h1", { text: "There is nothing here" }), el("p", {}, el("a", { href: "#/", text: "All tournaments" }))));
  return {};
}

function setTitle(title) {
  document.title = title ? `${title} · Palio` : "Palio";
}

function showPlayer(why = null) {
  const current = player();
  const who = document.getElementById("who");
  who.replaceChildren();
  if (current) {
    const leave = el("button", { type: "button", class: "link-button", text: "Sign out", on: { click: () => signOut() } });
    who.append(emblem(current.user_id), el("bdi", { class: "who-name", text: current.name }), leave);
  }
  live.setToken(current?.token ?? null);
  if (why) announce(why);
}

onPlayerChange(showPlayer);
showPlayer();
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
