// What the gallery is asked, as the address says it.

import { writeAddress } from "./address.js";

const FIELDS = ["q", "color", "tags", "kind", "video", "source", "min_width", "orientation"];
const KINDS = ["scraped", "uploaded", "generated"];
const LISTS = ["tags", "source"];
/** A person who picks a colour means its neighbours, too (in OKLab, as the gateway measures). */
const SHADES = 0.1;

/** Give what the address asks of a search; empty where it asks for nothing. */
export function askedOf(address) {
  const said = FIELDS.map((name) => [name, (address[name] ?? "").trim()]);
  // Other parts of the page have kinds, too: of jobs.
  const isOurs = ([name, value]) => value && (name !== "kind" || KINDS.includes(value));
  return Object.fromEntries(said.filter(isOurs));
}

/** Give where to ask, and with what: a search where there is one, or else the newest pictures. */
export function questionOf(address, { mapped } = {}) {
  const asked = askedOf(address);
  const searches = Object.keys(asked).length > 0;
  const parameters = searches ? searchFor(asked) : { job_id: address.job, mapped };
  const path = searches ? "/search/images" : "/images";
  const isNarrow = Object.values(parameters).some((value) => value !== undefined);
  return { path, parameters, searches, isNarrow, key: JSON.stringify([path, parameters]) };
}

/** Search for this, and for nothing that was searched for before; nothing leads back to all pictures. */
export function search(asked = {}) {
  const nothing = Object.fromEntries(["image", "job", "review", "panel", "open", ...FIELDS].map((name) => [name, null]));
  writeAddress({ ...nothing, ...asked });
}

/** Change some of what is searched for; what is empty is left out. */
export function searchAlso(changes, options) {
  const said = Object.entries(changes).map(([name, value]) => [name, value.trim() || null]);
  const some = said.some(([, value]) => value !== null);
  writeAddress({ ...Object.fromEntries(said), ...(some && { job: null }) }, options);
}

/** Split what a person wrote with commas. */
export function listed(text) {
  return text.split(",").map((one) => one.trim()).filter(Boolean);
}

function searchFor(asked) {
  const values = Object.entries(asked).map(([name, value]) => [name, LISTS.includes(name) ? listed(value) : value]);
  return { ...Object.fromEntries(values), ...(asked.color && { color_distance: SHADES }) };
}
