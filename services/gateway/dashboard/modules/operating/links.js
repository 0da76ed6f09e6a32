// Addresses within the operators' part.

import { el } from "../dom.js";

export function hrefOf(parts) {
  const kept = Object.entries(parts).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `#${new URLSearchParams(kept)}`;
}

export function jobLink(id, text = el("code", {}, shortId(id)), attributes = {}) {
  return el("a", { href: hrefOf({ panel: "jobs", open: id }), ...attributes }, text);
}

/** Enough of an id to tell it from others: its first part is the time, so its end is shown too. */
export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}
