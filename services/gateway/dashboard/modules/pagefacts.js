// What a page says of itself: beside its pictures, and below the job that has read it.

import { el, outsideLink } from "./dom.js";

/** Tell what a page says of itself, as a list; null where it says nothing. */
export function pageFacts(page) {
  const { title, description, author, licence, site_name: site, language, canonical_url: own } = page;
  const rows = [
    title && ["Title", title],
    description && ["Says", description],
    author && ["Author", author],
    licence && ["Licence", outsideLink(licence)],
    page.published_at && ["Published", day(page.published_at)],
    page.modified_at && ["Changed", day(page.modified_at)],
    site && ["Site", site],
    language && ["Language", language],
    own && own !== page.url && ["Calls itself", outsideLink(own)],
  ].filter(Boolean);
  const lines = rows.map(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]);
  return lines.length > 0 ? el("dl", { class: "facts-list" }, lines) : null;
}

/** Tell which pictures of a page were left out, and why. */
export function leftOut({ skipped, images_skipped: number }) {
  const lines = skipped.map(({ url, sentence, code }) =>
    el("li", {}, outsideLink(url), el("span", { class: "step-error" }, ` ${sentence} `, el("code", {}, code))),
  );
  const more = number - skipped.length;
  if (more > 0) lines.push(el("li", { class: "hint" }, `and ${more} more`));
  return lines.length > 0 ? el("ul", {}, lines) : null;
}

function day(said) {
  return el("time", { datetime: said }, said.replace(/T(\d\d:\d\d).*/, " $1"));
}
