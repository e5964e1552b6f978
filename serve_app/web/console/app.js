// Where the console begins: who is signed in, which section the address names.

import { announce } from "../announce.js";
import { discover } from "../api.js";
import { el, setAttr, setText } from "../dom.js";
import { auditView } from "./audit.js";
import { chartsView } from "./charts.js";
import { healthView } from "./health.js";
import { lettersView } from "./letters.js";
import { onSessionChange, operator, signOut } from "./session.js";
import { signInView } from "./sign_in.js";
import { editView, newView } from "./forms/tournament_form.js";
import { tournamentView } from "./tournament/view.js";
import { tournamentsView } from "./tournaments.js";

const main = document.getElementById("main");
const sections = document.getElementById("sections");
/** @type {[string, string, (root: Element, parameters: any, context: any) => any][]} */
const SECTIONS = [
  ["", "Tournaments", tournamentsView],
  ["charts", "Charts", chartsView],
  ["health", "Health", healthView],
  ["letters", "Dead letters", lettersView],
  ["audit", "Audit", auditView],
];
let shown = null; // {key, view, abort}
let ended = null; // why the session before ended

/** `#/`, `#/?status=running&q=exam`, `#/new`, `#/t/<id>`, `#/t/<id>/edit`, `#/health`, ... */
function route() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  const parameters = Object.fromEntries(new URLSearchParams(query ?? ""));
  const id = /^[1-9][0-9]{0,18}$/.test(parts[1] ?? "") ? parts[1] : null;
  if (parts[0] === "new" && parts.length === 1) return { key: "new", section: "", open: newView, parameters };
  if (parts[0] === "t" && id && parts.length === 2) return { key: path, section: "", open: tournamentView, parameters: { id } };
  if (parts[0] === "t" && id && parts.length === 3 && parts[2] === "edit") return { key: path, section: "", open: editView, parameters: { id } };
  const found = parts.length < 2 && SECTIONS.find(([name]) => name === (parts[0] ?? ""));
  if (found) return { key: `section ${found[0]}`, section: found[0], open: found[2], parameters };
  return { key: path, section: null, open: nothingHere, parameters };
}

function show() {
  if (location.hash === "#main") return; // the skip link
  const signedIn = operator() !== null;
  const { key, section, open, parameters } = route();
  if (signedIn && shown?.key === key && shown.view?.update) {
    shown.view.update(parameters);
    return;
  }
  shown?.abort.abort();
  const first = shown === null;
  const abort = new AbortController();
  main.replaceChildren();
  for (const link of sections.children) setAttr(link, "aria-current", section !== null && link.getAttribute("data-name") === section ? "page" : null);
  const context = { signal: abort.signal, setTitle };
  if (!signedIn) {
    shown = { key: "sign in", abort, view: null };
    signInView(main, ended, context);
    return;
  }
  shown = { key, abort, view: null };
  shown.view = open(main, parameters, context);
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
  document.title = title ? `${title} · Palio console` : "Palio console";
}

function showSession() {
  const current = operator();
  sections.hidden = current === null;
  const leave = el("button", { type: "button", class: "link-button", text: "Sign out", on: { click: () => signOut() } });
  document.getElementById("who").replaceChildren(...(current ? [el("span", { class: "who-name", text: `Operator ${current.user_id}` }), leave] : []));
}

sections.append(...SECTIONS.map(([name, title]) => el("a", { href: `#/${name}`, text: title, data: { name } })));
onSessionChange((why) => {
  ended = why;
  showSession();
  shown?.abort.abort();
  shown = { key: "", abort: new AbortController(), view: null };
  show();
  if (why) announce(why);
});
showSession();
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
