// Where the console begins: who is signed in, which section the address names.

import { announce } from "../announce.js";
import { el, setAttr } from "../dom.js";
import { isId, showViews } from "../router.js";
import { auditView } from "./audit.js";
import { chartsView } from "./charts.js";
import { healthView } from "./health.js";
import { lettersView } from "./letters.js";
import { onSessionChange, operator, signOut } from "./session.js";
import { signInView } from "./sign_in.js";
import { editView, newView } from "./forms/tournament_form.js";
import { reportView } from "./tournament/report.js";
import { tournamentView } from "./tournament/view.js";
import { tournamentsView } from "./tournaments.js";

const sections = document.getElementById("sections");
/** @type {[string, string, (root: Element, parameters: any, context: any) => any][]} */
const SECTIONS = [
  ["", "Tournaments", tournamentsView],
  ["charts", "Charts", chartsView],
  ["health", "Health", healthView],
  ["letters", "Dead letters", lettersView],
  ["audit", "Audit", auditView],
];
let ended = null; // why the session before ended

/** `#/`, `#/?status=running&q=exam`, `#/new`, `#/t/<id>`, `#/t/<id>/edit`, `#/t/<id>/report`, `#/health`, ... */
function find({ path, parts, parameters }) {
  const [first, second, third] = parts;
  if (first === "new" && parts.length === 1) return { key: "new", section: "", open: newView, parameters };
  if (first === "t" && isId(second) && parts.length === 2) return { key: path, section: "", open: tournamentView, parameters: { id: second } };
  if (first === "t" && isId(second) && parts.length === 3 && third === "edit") return { key: path, section: "", open: editView, parameters: { id: second } };
  if (first === "t" && isId(second) && parts.length === 3 && third === "report") return { key: path, section: "", open: reportView, parameters: { id: second } };
  const found = parts.length < 2 && SECTIONS.find(([name]) => name === (first ?? ""));
  return found ? { key: `section ${found[0]}`, section: found[0], open: found[2], parameters } : null;
}

function showSession() {
  const current = operator();
  sections.hidden = current === null;
  const leave = el("button", { type: "button", class: "link-button", text: "Sign out", on: { click: () => signOut() } });
  document.getElementById("who").replaceChildren(...(current ? [el("span", { class: "who-name", text: `Operator ${current.user_id}` }), leave] : []));
}

sections.append(...SECTIONS.map(([name, title]) => el("a", { href: `#/${name}`, text: title, data: { name } })));
showSession();
const showAgain = showViews("Palio console", (address) => {
  const found = find(address);
  for (const link of sections.children) setAttr(link, "aria-current", found && link.getAttribute("data-name") === found.section ? "page" : null);
  return operator() ? found : { key: "sign in", open: (root, _parameters, context) => signInView(root, ended, context), parameters: {} };
});
onSessionChange((why) => {
  ended = why;
  showSession();
  showAgain();
  if (why) announce(why);
});
