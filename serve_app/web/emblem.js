// A small coat of arms for each player and tournament, made from its id: easy to follow with the eye when rows move.

import { el, svg } from "./dom.js";

const COLOURS = ["#a3211f", "#1d4b8a", "#1f6b3c", "#231f20", "#67307a", "#c9571f", "#2f7f94", "#7d4420", "#b0486b"];
const METALS = ["#f4eede", "#e3ad33"];

// Heraldic divisions and charges on a 24 x 24 field.
const FIGURES = [
  "M12 0h12v24H12z", // per pale
  "M0 8h24v8H0z", // fess
  "M0 0L24 24H0z", // per bend
  "M0 0h8L24 16v8h-8L0 8z", // bend
  "M0 22L12 8l12 14v-9L12 0 0 13z", // chevron
  "M0 0h12v12H0zM12 12h12v12H12z", // quarterly
  "M4 0h4v24H4zM12 0h4v24h-4zM20 0h4v24h-4z", // paly
  "M0 4h24v4H0zM0 12h24v4H0zM0 20h24v4H0z", // barry
  "M12 2l8 10-8 10-8-10z", // lozenge
  "M9 0h6v9h9v6h-9v9H9v-9H0V9h9z", // cross
  "M0 0h5l7 7 7-7h5v5l-7 7 7 7v5h-5l-7-7-7 7H0v-5l7-7-7-7z", // saltire
  "M0 0h12v12zM24 0v12H12zM24 24H12V12zM0 24V12h12z", // gyronny
  "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16z", // roundel
];

/** FNV-1a, 32 bits: the same emblem for the same id, everywhere. */
function hash(text) {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

function tinctures(value) {
  return { colour: COLOURS[value % COLOURS.length], metal: METALS[(value >>> 6) % METALS.length] };
}

/** A tournament's silk: its colour, edged with its metal, its emblem on it. Decoration. */
export function banner(id, size = "") {
  const { colour, metal } = tinctures(hash(String(id)));
  const element = el("span", { class: "silk", "aria-hidden": "true" }, emblem(id, size));
  element.style.setProperty("--field", colour);
  element.style.setProperty("--edge", metal);
  return element;
}

/** The emblem of an id: decoration, so hidden from screen readers. Metal on colour or colour on metal, as heraldry asks for contrast. */
export function emblem(id, size = "") {
  const value = hash(String(id));
  const { colour, metal } = tinctures(value);
  const [field, charge] = (value >>> 8) % 2 ? [colour, metal] : [metal, colour];
  return svg(
    "svg",
    { class: `emblem ${size}`.trim(), viewBox: "0 0 24 24", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true", focusable: "false" },
    svg("rect", { width: 24, height: 24, fill: field }),
    svg("path", { d: FIGURES[(value >>> 12) % FIGURES.length], fill: charge }),
  );
}
