// What is known of a video: its preview, which plays, what it is, and what its platform keeps beside it.

import { button, el, outsideLink } from "./dom.js";
import { icon } from "./icons.js";
import { bytes, number, playingTime } from "./words.js";

const TRACKS = { audio: "Sound", subtitles: "Subtitles" };

/** Tell what is known of what moves. The preview plays, unless a person wants less motion and presses nothing. */
export function film({ video, urls }) {
  return [urls.preview && preview(urls), facts(video), tracks(video.tracks)].filter(Boolean);
}

function preview(urls) {
  const poster = urls["250"] ?? urls["1440"];
  const picture = el("img", { class: "film-picture", alt: "The preview of this video", crossorigin: "anonymous" });
  const press = button("", () => show(picture.dataset.playing !== "true"), { look: "is-small" });
  const show = (playing) => {
    picture.dataset.playing = playing;
    picture.src = playing || !poster ? urls.preview : poster;
    press.textContent = playing ? "Stop the preview" : "Play the preview";
  };
  show(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  return el("div", { class: "film" }, picture, poster && press);
}

function facts(video) {
  const rows = [
    video.duration_seconds && ["Length", playingTime(video.duration_seconds)],
    ["Kind", [video.container, video.video_codec, video.audio_codec ?? "silent"].join(", ")],
    video.frame_rate && ["Frames a second", number(video.frame_rate)],
  ].filter(Boolean);
  const lines = rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("dl", { class: "facts-list" }, lines);
}

function tracks(tracks) {
  const links = tracks.map(({ kind, language, size_bytes: size, url }) => {
    const name = [TRACKS[kind] ?? kind, language, bytes(size)].filter(Boolean).join(", ");
    const link = outsideLink(url, name);
    link.classList.add("button", "is-small");
    link.prepend(icon("save"));
    return link;
  });
  return links.length > 0 && el("p", { class: "downloads" }, links);
}
