// Icons, drawn on a grid of 24 with strokes in the colour of the text.

const NAMESPACE = "http://www.w3.org/2000/svg";
const RING = "M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z";
const PATHS = {
  clock: [RING, "M12 7.5V12l3 2"],
  arc: ["M21 12a9 9 0 1 1-6.2-8.6"],
  check: [RING, "m8 12.4 2.7 2.7L16 9.6"],
  cross: [RING, "m9 9 6 6m0-6-6 6"],
  slash: [RING, "M5.8 18.2 18.2 5.8"],
  again: ["M4.5 14.5A8 8 0 1 0 6.3 6.4L4 8.7", "M4 4v4.7h4.7"],
  pause: [RING, "M10 9v6m4-6v6"],
  none: ["M8 12h8"],
  picture: ["M4 5h16v14H4Z", "m4.5 17.5 5-5.5 4 4 2.5-2.5 3.5 3.5", "M15.5 9.2h.01"],
  palette: [
    "M12 3.5a8.5 8.5 0 1 0 0 17c1.6 0 2-1 1.6-2.2-.6-1.7.4-2.8 2-2.8h2.3a2.6 2.6 0 0 0 2.6-2.6A8.9 8.9 0 0 0 12 3.5Z",
    "M8 12.5h.01M10 8.3h.01M14.5 8.3h.01",
  ],
  layers: ["m12 4 8.5 4.2L12 12.4 3.5 8.2Z", "m3.5 12.2 8.5 4.2 8.5-4.2", "m3.5 16.2 8.5 4.2 8.5-4.2"],
  cube: ["M12 3.2 19.8 7.6v8.8L12 20.8 4.2 16.4V7.6Z", "m4.4 7.7 7.6 4.3 7.6-4.3M12 12v8.6"],
  search: ["M17.5 10.8a6.7 6.7 0 1 1-13.4 0 6.7 6.7 0 0 1 13.4 0Z", "m15.8 15.8 4.4 4.4"],
  sliders: [
    "M4 7.5h9.2m4.6 0H20M4 16.5h2.2m4.6 0H20",
    "M17.8 7.5a2.3 2.3 0 1 1-4.6 0 2.3 2.3 0 0 1 4.6 0Z",
    "M10.8 16.5a2.3 2.3 0 1 1-4.6 0 2.3 2.3 0 0 1 4.6 0Z",
  ],
  eye: [
    "M2.8 12S6.2 5.8 12 5.8 21.2 12 21.2 12 17.8 18.2 12 18.2 2.8 12 2.8 12Z",
    "M14.7 12a2.7 2.7 0 1 1-5.4 0 2.7 2.7 0 0 1 5.4 0Z",
  ],
  columns: ["M4 5h16v14H4Z", "M9.3 5v14m5.4-14v14"],
  close: ["m6 6 12 12M18 6 6 18"],
  left: ["m14.5 5-7 7 7 7"],
  right: ["m9.5 5 7 7-7 7"],
  down: ["m5 9.5 7 7 7-7"],
  up: ["m5 14.5 7-7 7 7"],
  warning: ["M12 4 2.8 19.5h18.4Z", "M12 10v4.5m0 2.5h.01"],
  list: ["M8.5 6.5H20M8.5 12H20M8.5 17.5H20M4.5 6.5h.01M4.5 12h.01M4.5 17.5h.01"],
  save: ["M12 4v11m-4.5-4.2L12 15.3l4.5-4.5", "M4.5 19.5h15"],
};

/** Draw an icon. Without a label it is decoration, and screen readers pass over it. */
export function icon(name, { label = null, className = "" } = {}) {
  const svg = document.createElementNS(NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon ${className}`.trim());
  if (label === null) svg.setAttribute("aria-hidden", "true");
  else {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  }
  for (const shape of PATHS[name]) {
    const path = document.createElementNS(NAMESPACE, "path");
    path.setAttribute("d", shape);
    svg.append(path);
  }
  return svg;
}
