// What is known of a picture, beside the stage.

import { button, el, outsideLink, setVariables } from "./dom.js";
import { icon } from "./icons.js";
import { toast, toastProblem } from "./notices.js";
import { pageFacts } from "./pagefacts.js";
import { search } from "./question.js";
import { ENDED, shownState, stateBadge } from "./states.js";
import { titleOf } from "./tile.js";
import { film } from "./film.js";
import { bytes, duration, kindName, moment, number, sentenceCase } from "./words.js";

const STEP_NAMES = { store: "Store", describe: "Describe", depth: "Depth map", edges: "Edge map" };
const KINDS = {
  inverse_relative: "Relative inverse depth: larger is nearer. Not comparable between pictures.",
  depth_relative: "Inverse of relative depth: larger is nearer. Not comparable between pictures.",
  metric_metres: "Inverse of metres: larger is nearer.",
};

/** What about maps is suspicious, by the codes of the gateway. */
const WARNINGS = {
  flat: "Flat",
  banding: "Banding",
  misaligned_edges: "Edges beside the outlines",
  unstable: "Another depth when mirrored",
};
const REVIEWS = { unreviewed: "Waits for a review", approved: "Approved", rejected: "Rejected" };

/** Tell what a picture is called, and what its page says of it. */
export function headOf(image) {
  return [el("h2", { id: "viewer-title", tabindex: -1, dir: "auto" }, titleOf(image)), words(image)];
}

/** Tell what is known of a picture. */
export function factsOf(image, api) {
  return [
    section("Steps", steps(image, api)),
    image.video && section("Video", ...film(image)),
    image.page && section("Page", pageFacts(image.page)),
    image.palette.length > 0 && section("Palette", palette(image)),
    section("Renditions", renditions(image)),
    section("File", file(image)),
  ].filter(Boolean);
}

/** Tell how the jobs of a picture are; `onJob(job)` is called to look at one. */
export function jobsOf(jobs, onJob) {
  const rows = jobs.map((job) =>
    el(
      "li",
      {},
      button(kindName(job.kind), () => onJob(job), { look: "is-link" }),
      stateBadge(shownState(job)),
      job.started_at && job.finished_at && el("span", { class: "hint" }, duration(job.started_at, job.finished_at)),
    ),
  );
  return section("Jobs", el("ul", { class: "step-list" }, rows));
}

/** Tell where the maps come from and what is suspicious about them. */
export function provenanceOf(map) {
  const { quality = {} } = map;
  const measures = Object.entries(quality).filter(([, value]) => typeof value === "number");
  return section(
    "Depth",
    el("p", { class: "estimator" }, icon("layers"), el("strong", {}, map.estimator)),
    el("p", { class: "hint" }, KINDS[map.kind] ?? map.kind),
    doubtsOf(map),
    list([
      map.review && ["Review", reviewed(map.review)],
      ["Size", `${number(map.depth.width_px)} × ${number(map.depth.height_px)}, ${bytes(map.depth.size_bytes)}`],
      ["Recipe", el("code", { title: map.recipe }, shortened(map.recipe))],
      ["Drawn", moment(map.created_at)],
      ...measures.map(([name, value]) => [sentenceCase(name), number(value)]),
    ]),
    el(
      "p",
      { class: "downloads" },
      download(map.depth.url, "Depth, 16 bit"),
      download(map.edges.url, "Edges"),
      map.normals && download(map.normals.url, "Normals"),
      download(map.sidecar.url, "Provenance"),
    ),
  );
}

/** Tell what a reviewer should look for; null where nothing is suspicious. */
export function doubtsOf({ warnings = [] }) {
  const doubts = warnings.map((code) =>
    el("span", { class: "badge is-doubt" }, icon("warning"), WARNINGS[code] ?? sentenceCase(code)),
  );
  return doubts.length > 0 && el("p", { class: "doubts" }, doubts);
}

/** Name what may be wrong with maps, for where a sentence is said. */
export function warningWords({ warnings = [] }) {
  return warnings.map((code) => (WARNINGS[code] ?? sentenceCase(code)).toLowerCase()).join(", ");
}

/** Say what was decided of maps, by whom, and why. */
export function reviewed({ state, reviewed_by: by, reasons = [], note }) {
  const why = [...reasons.map(sentenceCase), note].filter(Boolean).join(", ");
  return [REVIEWS[state], by && ` by ${by}`, why && `: ${why}`].filter(Boolean).join("");
}

function words(image) {
  const { alt, caption, credit, licence } = image;
  const { page_url: page } = image.context;
  const title = titleOf(image);
  const said = [alt, caption].filter((text, place, all) => text && text !== title && all.indexOf(text) === place);
  return el(
    "div",
    { class: "said" },
    said.map((text) => el("p", { dir: "auto" }, text)),
    list([
      credit && ["Credit", credit],
      licence && ["Licence", licence],
      page && ["Page", outsideLink(page)],
      image.source_url && ["Source", outsideLink(image.source_url)],
      hostOf(image) && ["Host", button(hostOf(image), () => search({ source: hostOf(image) }), { look: "is-link" })],
    ]),
  );
}

function hostOf({ source_url: url }) {
  return url && URL.canParse(url) ? new URL(url).hostname : null;
}

function steps(image, api) {
  const rows = Object.entries(image.steps).map(([name, step]) =>
    el(
      "li",
      {},
      el("span", { class: "step-name" }, STEP_NAMES[name] ?? sentenceCase(name)),
      stateBadge(step.state),
      step.error && el("p", { class: "step-error" }, step.error.sentence, " ", el("code", {}, step.error.code)),
    ),
  );
  return [el("ul", { class: "step-list" }, rows), drawAgain(image, api)];
}

function drawAgain(image, api) {
  const { state } = image.steps.depth;
  if (!ENDED.has(state) && state !== "not_requested") return null;
  const draw = async (event) => {
    event.currentTarget.disabled = true;
    try {
      await api.post("/maps", { image_id: image.id, redraw: state !== "not_requested" });
      toast("The maps will be drawn.");
    } catch (problem) {
      toastProblem(problem);
    }
  };
  const words = state === "completed" ? "Draw the maps again" : "Draw the maps";
  return button(words, draw, { look: "is-small" });
}

function palette(image) {
  const look = { type: "button", class: "swatch-search", title: "Pictures in this colour" };
  const colours = image.palette.map(({ hex, name, share }) =>
    el(
      "li",
      {},
      el(
        "button",
        { ...look, click: () => search({ color: hex }) },
        setVariables(el("span", { class: "swatch", "aria-hidden": "true" }), { colour: hex }),
        el("span", { class: "swatch-name" }, sentenceCase(name)),
        el("code", {}, hex),
        el("span", { class: "share" }, `${Math.round(share * 100)} %`),
      ),
    ),
  );
  return el("ul", { class: "swatches" }, colours);
}

function renditions(image) {
  const { width_px: width, height_px: height, urls } = image;
  const smaller = Object.keys(urls).filter((name) => /^\d+$/.test(name)).sort((one, other) => one - other);
  const links = smaller.map((name) => download(urls[name], sizeOf(Number(name), width, height)));
  const original = urls.original && download(urls.original, `Original, ${width} × ${height}`);
  return el("p", { class: "downloads" }, links, original);
}

function sizeOf(longest, width, height) {
  const scale = Math.min(1, longest / Math.max(width, height));
  return `${Math.round(width * scale)} × ${Math.round(height * scale)}`;
}

function file(image) {
  return list([
    ["Size", `${number(image.width_px)} × ${number(image.height_px)} px`],
    ["Weight", `${bytes(image.size_bytes)}, ${image.content_type}`],
    ["Stored", moment(image.created_at)],
    image.described_by && ["Described by", el("code", {}, image.described_by)],
    image.perceptual_hash && ["Fingerprint", el("code", {}, image.perceptual_hash)],
    image.edited_by && ["Edited", [`by ${image.edited_by}, `, moment(image.edited_at)]],
    ["SHA-256", el("code", { title: image.sha256 }, shortened(image.sha256))],
  ]);
}

function shortened(name) {
  return name.length > 24 ? `${name.slice(0, 20)}…` : name;
}

function section(name, ...content) {
  if (content.every((part) => part === null)) return null;
  return el("section", { class: "facts-section" }, el("h3", {}, name), ...content);
}

function list(rows) {
  const told = rows.filter(Boolean);
  const lines = told.map(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]);
  return told.length > 0 && el("dl", { class: "facts-list" }, lines);
}

function download(url, name) {
  const link = { class: "button is-small", href: url, target: "_blank", rel: "noopener noreferrer" };
  return el("a", link, icon("save"), name);
}
