// Where the page begins: what the address says is shown, and who plays is in the header.

import { liveUrl, rediscover } from "./api.js";
import { announce } from "./announce.js";
import { el } from "./dom.js";
import { emblem } from "./emblem.js";
import { listView } from "./list.js";
import { Live } from "./client/src/live.js";
import { onPlayerChange, player, signOut } from "./player.js";
import { isId, showViews } from "./router.js";
import { tournamentView } from "./tournament.js";

const live = new Live(
  async () => {
    try {
      return await liveUrl();
    } finally {
      rediscover(); // asked again at the next connection: the gateway may have moved
    }
  },
  { authRefused: (error) => signOut(error?.message ?? "Your token was not accepted.") },
);

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
/** `#/`, `#/?status=running&q=exam`, `#/t/<id>`. */
showViews(
  "Palio",
  ({ path, parts, parameters }) => {
    if (parts.length === 0) return { key: "list", open: listView, parameters };
    if (parts.length === 2 && parts[0] === "t" && isId(parts[1])) return { key: path, open: tournamentView, parameters: { id: parts[1] } };
    return null;
  },
  { live },
);
