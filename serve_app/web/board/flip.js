// FLIP: first, last, invert, play. Rows glide from where they are seen to where they now belong.

import { reducedMotion } from "../dom.js";

const MOVE = { duration: 520, easing: "cubic-bezier(.22,.8,.26,1)", id: "flip" };
const ENTER = { duration: 360, easing: "ease-out", id: "flip" };

/**
 * Do `change()` (which may reorder, add and remove) and let the children of `parent` glide. Rows still gliding go on from where
 * they are. Without motion for those who asked for less of it, and in a hidden window.
 */
export function flip(parent, change) {
  if (reducedMotion() || document.hidden) {
    change();
    return;
  }
  const before = new Map([...parent.children].map((node) => [node, node.getBoundingClientRect().top]));
  change();
  const nodes = [...parent.children];
  for (const node of nodes) for (const animation of node.getAnimations()) if (animation.id === "flip") animation.cancel();
  const after = nodes.map((node) => node.getBoundingClientRect());
  nodes.forEach((node, index) => {
    const { top, height } = after[index];
    if (top > innerHeight + height || top < -2 * height) return; // nobody sees it
    if (!before.has(node)) {
      if (before.size) node.animate([{ opacity: 0, transform: "translateY(14px)" }, { opacity: 1, transform: "none" }], ENTER);
      return;
    }
    const delta = before.get(node) - top;
    if (Math.abs(delta) < 1) return;
    node.classList.toggle("rising", delta > 0);
    node.animate([{ transform: `translateY(${delta}px)` }, { transform: "none" }], MOVE);
  });
}

/** A short glow on what has changed. */
export function glow(node) {
  if (reducedMotion() || document.hidden) return;
  node.animate([{ backgroundColor: "var(--glow)" }, { backgroundColor: "transparent" }], { duration: 1400, easing: "ease-out" });
}
