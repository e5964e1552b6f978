// The page that shows how a board is embedded: what is chosen is shown, and written as the lines to copy.

import { listTournaments, getTournament } from "../api.js";
import { el, setText } from "../dom.js";
import { errorText } from "../notice.js";

const field = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));
const tournaments = field("tournament");
const address = new URL("palio-board.js", document.baseURI).href;
const board = document.createElement("palio-board");
const asked = new URLSearchParams(location.search).get("tournament") ?? "";

function chosen() {
  const values = { tournament: tournaments.value, top: field("top").value, me: field("me").value.trim(), theme: field("board-theme").value };
  return Object.entries(values).filter(([name, value]) => value && !(name === "top" && value === "10"));
}

function show() {
  const attributes = chosen();
  for (const name of ["tournament", "top", "me", "theme"]) {
    const value = Object.fromEntries(attributes)[name];
    if (value === undefined) board.removeAttribute(name);
    else if (board.getAttribute(name) !== value) board.setAttribute(name, value);
  }
  const written = attributes.map(([name, value]) => ` ${name}="${value.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}"`).join("");
  setText(document.getElementById("code"), `<script type="module" src="${address}"></script>\n<palio-board${written}></palio-board>`);
}

async function fill() {
  setText(document.getElementById("problem"), "");
  try {
    const { items } = await listTournaments({ limit: 50 }, undefined);
    if (/^[1-9][0-9]{0,18}$/.test(asked) && !items.some(({ id }) => id === asked)) items.unshift(await getTournament(asked, undefined));
    const rank = { running: 0, finished: 1, scheduled: 2, cancelled: 3 };
    items.sort((a, b) => rank[a.status] - rank[b.status]);
    tournaments.replaceChildren(...items.map(({ id, name }) => el("option", { value: id, text: name, selected: id === asked })));
    if (!items.length) setText(document.getElementById("problem"), "There are no public tournaments yet: make one, and load this page again.");
  } catch (error) {
    setText(document.getElementById("problem"), errorText(error));
  }
  show();
  if (tournaments.value) document.getElementById("preview").append(board);
}

document.getElementById("choices").addEventListener("input", show);
document.getElementById("choices").addEventListener("submit", (event) => event.preventDefault());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
document.getElementById("copy").addEventListener("click", async () => {
  const code = document.getElementById("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    setText(document.getElementById("copied"), "Copied.");
  } catch {
    getSelection().selectAllChildren(code); // browsers copy by themselves over https alone
    setText(document.getElementById("copied"), "Selected: copy it with Ctrl+C.");
  }
});
void fill();
