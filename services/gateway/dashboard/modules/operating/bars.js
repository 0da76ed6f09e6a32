// A small chart of bars. What it shows stands in a table too, so that screen readers pass over it.

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const HEIGHT = 160;
const GAP = 0.25;

/** `bars` are `{ label, value, text }`. */
export function barChart(bars) {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const step = WIDTH / Math.max(1, bars.length);
  const svg = draw("svg", { class: "bars", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  svg.setAttribute("preserveAspectRatio", "none");
  svg.append(draw("line", { class: "bars-ground", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  bars.forEach(({ label, value, text }, place) => {
    const height = (value / most) * (HEIGHT - 6);
    const at = { x: (place + GAP / 2) * step, y: HEIGHT - height, width: step * (1 - GAP), height };
    const bar = draw("rect", { class: "bars-bar", ...at });
    const title = draw("title", {});
    title.textContent = `${label}: ${text}`;
    bar.append(title);
    svg.append(bar);
  });
  return svg;
}

function draw(name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
