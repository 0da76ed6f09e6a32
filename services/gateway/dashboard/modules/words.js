// How things are called when they are told to a person.

import { el } from "./dom.js";

const KINDS = {
  "scraper.scrape_pages": "Scrape pages",
  "scraper.crawl_site": "Crawl a site",
  "scraper.continue_crawl": "Read more of a site",
  "scraper.ask_robots": "Ask a site for its rules",
  "scraper.read_manifest": "Read a manifest",
  "scraper.retry_crawl": "Ask again what a crawl missed",
  "scraper.schedule_crawl": "Schedule a crawl",
  "scraper.import_manifest": "Import a manifest",
  "media.fetch_media": "Download a picture",
  "media.accept_upload": "Store a picture",
  "media.describe_media": "Describe a picture",
  "media.delete_media": "Delete a picture",
  "media.draw_rendition": "Draw a size",
  "image_generation.generate_image": "Draw a scene",
  "gateway.draw_chapter": "Draw a chapter",
  "depth_map.map_depth": "Map depth",
  "depth_map.review_depth_map": "Review a depth map",
  "jobs.check_worker": "Check a worker",
};
const ACRONYMS = /\b(url|uri|http|tls|dns|ssl)\b/g;
const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const full = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const whole = new Intl.NumberFormat("en");

export function kindName(kind) {
  const name = kind.replace(/\.v\d+$/, "");
  return KINDS[name] ?? sentenceCase(name.split(".").pop());
}

export function sentenceCase(name) {
  const words = name.replaceAll("_", " ").replace(ACRONYMS, (acronym) => acronym.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function count(number, one, many = `${one}s`) {
  return `${whole.format(number)} ${number === 1 ? one : many}`;
}

export function number(value) {
  return whole.format(value);
}

export function bytes(size) {
  const units = ["B", "KB", "MB", "GB"];
  let rank = 0;
  let value = size;
  while (value >= 1000 && rank < units.length - 1) [value, rank] = [value / 1000, rank + 1];
  return `${value < 10 && rank ? value.toFixed(1) : Math.round(value)} ${units[rank]}`;
}

/** Millionths of a US dollar, as so many dollars. */
export function dollars(micros) {
  return `$${(micros / 1_000_000).toFixed(micros && micros < 1_000_000 ? 4 : 2)}`;
}

/** Say how far away a moment is: `5 sec. ago`, `in 2 min.` */
function distance(at, now = Date.now()) {
  const seconds = (new Date(at).getTime() - now) / 1000;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return relative.format(Math.round(seconds / length), unit);
}

export function duration(from, to) {
  const seconds = (new Date(to) - new Date(from)) / 1000;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 90 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** Say how long something plays: `0:07`, `1:02:03`. */
export function playingTime(seconds) {
  const [hours, minutes, rest] = [3600, 60, 1].map((length) => Math.floor(Math.round(seconds) / length));
  const parts = hours > 0 ? [hours, minutes % 60, rest % 60] : [minutes, rest % 60];
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
}

/** A moment that keeps saying how far away it is. */
export function moment(at) {
  const time = el("time", { datetime: at, title: full.format(new Date(at)), "data-moment": true });
  time.textContent = distance(at);
  return time;
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-moment]")) time.textContent = distance(time.dateTime);
}, 5_000);
