// Figures of /metrics, what changed between two looks, and plots of it.

const NS = "http://www.w3.org/2000/svg";
const REQUESTS = "pbxapi_http_requests_total";
const BUCKET = "pbxapi_http_request_seconds_bucket";
const SUM = "pbxapi_http_request_seconds_sum";
const MINUTE = 12; // looks
const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus' text as name -> [{labels, value}], of what is plotted. */
export function readFigures(text) {
  const found = { [REQUESTS]: [], [BUCKET]: [], [SUM]: [] };
  for (const line of text.split("\n")) {
    const match = LINE.exec(line);
    if (match && Object.hasOwn(found, match[1])) {
      const labels = Object.fromEntries([...(match[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
      found[match[1]].push({ labels, value: Number(match[3]) });
    }
  }
  return found;
}

function sums(look, name, key) {
  const found = new Map();
  for (const { labels, value } of look.figures[name]) found.set(key(labels), (found.get(key(labels)) ?? 0) + value);
  return found;
}

/** What grew between two looks; a counter that began anew has grown by what it shows. */
function growth(before, after, name, key) {
  const old = sums(before, name, key);
  const grown = new Map();
  for (const [label, value] of sums(after, name, key)) grown.set(label, value - (old.get(label) ?? 0) < 0 ? value : value - (old.get(label) ?? 0));
  return grown;
}

const pairs = (looks) => looks.slice(1).map((look, place) => [looks[place], look]);

/** Requests per second between the looks, by kind of answer; and the routes of the last minute, the busiest first. */
export function rates(looks) {
  const kinds = ["2xx", "3xx", "4xx", "5xx"];
  const series = kinds.map((name) => ({ name, values: [] }));
  for (const [before, after] of pairs(looks)) {
    const grown = growth(before, after, REQUESTS, ({ status }) => status);
    series.forEach(({ name, values }) => values.push((grown.get(name) ?? 0) / ((after.at - before.at) / 1000)));
  }
  const first = looks[Math.max(0, looks.length - 1 - MINUTE)];
  const last = looks.at(-1);
  const byRoute = ({ route, method }) => `${method} ${route}`;
  const seconds = growth(first, last, SUM, byRoute);
  const byKind = growth(first, last, REQUESTS, (labels) => `${byRoute(labels)} ${labels.status}`);
  const routes = [...growth(first, last, REQUESTS, byRoute)]
    .filter(([, count]) => count > 0)
    .map(([label, count]) => {
      const [method, ...route] = label.split(" ");
      return {
        method, route: route.join(" "), rate: count / ((last.at - first.at) / 1000), average: ((seconds.get(label) ?? 0) / count) * 1000,
        refused: byKind.get(`${label} 4xx`) ?? 0, failed: byKind.get(`${label} 5xx`) ?? 0,
      };
    })
    .sort((a, b) => b.rate - a.rate)
    .slice(0, 15);
  return { times: looks.slice(1).map(({ at }) => at), kinds: series, routes };
}

/** The time within which a half, 95 and 99 of a hundred answers began, in milliseconds between the looks; null without any. */
export function latencies(looks) {
  const wanted = [["half of them", 0.5], ["95 %", 0.95], ["99 %", 0.99]];
  return wanted.map(([name, share]) => ({
    name,
    values: pairs(looks).map(([before, after]) => {
      const grown = [...growth(before, after, BUCKET, ({ le }) => le)].map(([le, count]) => [le === "+Inf" ? Infinity : Number(le), count]).sort(([a], [b]) => a - b);
      return quantile(grown, share);
    }),
  }));
}

/** As Prometheus does: straight lines within a bucket; what lies above the last bound counts as that. */
function quantile(buckets, share) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (!total) return null;
  const rank = share * total;
  const place = buckets.findIndex(([, count]) => count >= rank);
  const [low, below] = place ? buckets[place - 1] : [0, 0];
  const [high, count] = buckets[place];
  if (high === Infinity) return low * 1000;
  return (low + ((high - low) * (rank - below)) / (count - below || 1)) * 1000;
}

function svg(name, attributes, ...children) {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Lines over time, told in words too: a figure with its newest values. */
export function plot(title, times, series) {
  const [width, height, left, bottom] = [640, 240, 48, 24];
  const all = series.flatMap(({ values }) => values).filter((value) => value !== null);
  const top = ceiling(Math.max(...all, 0));
  const x = (place) => left + ((width - left - 8) * (times.length > 1 ? place / (times.length - 1) : 1));
  const y = (value) => 8 + (height - bottom - 8) * (1 - value / top);
  const latest = series.map(({ name, values }) => [name, values.findLast((value) => value !== null) ?? 0]);
  const picture = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. Now: ${latest.map(([name, value]) => `${name} ${round(value)}`).join(", ")}` });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    picture.append(
      svg("line", { class: "grid", x1: left, x2: width - 8, y1: y(top * share), y2: y(top * share) }),
      svg("text", { x: left - 8, y: y(top * share) + 4, "text-anchor": "end" }, round(top * share)),
    );
  }
  const clock = (time) => new Date(time).toLocaleTimeString([], { timeStyle: "medium" });
  picture.append(svg("text", { x: left, y: height - 4 }, clock(times[0])), svg("text", { x: width - 8, y: height - 4, "text-anchor": "end" }, clock(times.at(-1))));
  series.forEach(({ values }, number) => {
    let pen = "M";
    const path = values.map((value, place) => {
      // A line of no length at its begin, so that a single point is seen too.
      const step = value === null ? "" : `${pen}${x(place).toFixed(1)} ${y(value).toFixed(1)}${pen === "M" ? "h0" : ""}`;
      pen = value === null ? "M" : "L";
      return step;
    }).join("");
    picture.append(svg("path", { class: `s${number + 1}`, d: path, "stroke-linecap": "round" }));
  });
  const list = document.createElement("ul");
  list.className = "legend";
  latest.forEach(([name, value], number) => {
    const line = document.createElement("li");
    const strong = document.createElement("strong");
    strong.textContent = round(value);
    line.append(svg("svg", { class: "plot", viewBox: "0 0 28 8", "aria-hidden": "true" }, svg("path", { class: `s${number + 1}`, d: "M0 4L28 4" })), name, strong);
    list.append(line);
  });
  const figure = document.createElement("div");
  figure.append(picture, list);
  return figure;
}

function round(value) {
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

/** A round number that is not smaller. */
function ceiling(value) {
  if (value <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * step).find((number) => number >= value);
}
