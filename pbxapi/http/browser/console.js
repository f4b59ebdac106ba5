// The console: how this installation is, told anew every few seconds while somebody looks.

import { api, badge, byId, call, Fault, fill, follow, h, notice, session, sessionCorner, signInForm, table, tableHead, tableRow } from "./shared.js";
import { latencies, plot, rates, readFigures } from "./figures.js";

const PAUSE = 5000;
const KEPT = 120; // looks at the figures: ten minutes
const EVENTS_MOST = 200;

const parts = {
  health: { title: "Health", open: health },
  changes: { title: "Changes", open: changes },
  live: { title: "Calls", open: live },
  traffic: { title: "Traffic", open: traffic },
  events: { title: "Events", open: events },
  webhooks: { title: "Webhooks", open: webhooks },
  plugins: { title: "Plugins", open: plugins },
};

let leave = () => {};
const figures = []; // {at, figures} of each look, the newest last

function start() {
  sessionCorner(byId("session"));
  session.onChange(() => {
    figures.length = 0;
    if (session.key) lookAtFigures();
    show();
  });
  window.addEventListener("hashchange", () => {
    show();
    byId("main").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  });
  every(lookAtFigures, () => session.key);
  show();
}

function show() {
  leave();
  leave = () => {};
  const asked = location.hash.slice(1);
  const current = Object.hasOwn(parts, asked) ? asked : "health";
  fill(byId("tabs"), Object.entries(parts).map(([name, { title }]) => h("a", { href: `#${name}`, "aria-current": name === current && "page" }, title)));
  document.title = `${parts[current].title} · pbxapi console`;
  if (!session.key) {
    fill(byId("main"), h("section.card.gate", {}, h("h1", {}, "Console"), h("p.muted", {}, "Enter a key to look at this installation. The system's key sees all of it; another key what its scopes allow."), signInForm()));
    return;
  }
  leave = parts[current].open(byId("main")) ?? (() => {});
}

/** Do something now and every few seconds while the page is seen, as long as `wanted`; answers how to end it. */
function every(work, wanted = () => true) {
  let timer;
  let ended = false;
  const again = async () => {
    clearTimeout(timer);
    if (!document.hidden && wanted()) await work();
    if (!ended) timer = setTimeout(again, PAUSE);
  };
  const seen = () => !document.hidden && again();
  document.addEventListener("visibilitychange", seen);
  again();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}

/** Fill a place with what `draw` makes of the answers, or with why there are none. */
async function draw(place, work) {
  try {
    const shown = await work();
    // What a person is reading or has opened is not taken away from under the pointer.
    if (!place.contains(document.activeElement) || document.activeElement.matches("button, .scroll")) keepFocus(place, shown);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    fill(place, error.status === 403 ? notice(error.message, "warn") : notice(error.message, "bad"));
  }
}

function keepFocus(place, shown) {
  const name = place.contains(document.activeElement) && document.activeElement.dataset.name;
  fill(place, shown);
  if (name) place.querySelector(`[data-name="${CSS.escape(name)}"]`)?.focus();
}

const say = (text) => {
  byId("status").textContent = text;
  setTimeout(() => byId("status").textContent === text && (byId("status").textContent = ""), 6000);
};

const head = (title, ...more) => h("div.head", {}, h("h1", {}, title), ...more);
const when = (text) => (text ? h("time.nowrap", { datetime: text }, new Date(text).toLocaleString([], { dateStyle: "short", timeStyle: "medium" })) : "");
const state = (text) => badge(text, { ok: "good", applied: "good", delivered: "good", active: "good", serves: "good", up: "good", pending: "warn", waiting: "warn", degraded: "warn", failing: "warn", paused: "bad", failed: "bad", "left out": "bad", down: "bad" }[text] ?? "");
const code = (text) => h("code", {}, text ?? "");

// Health.

function health(main) {
  const tiles = h("section", {});
  const place = h("section", {}, h("p.loading", {}, "Loading …"));
  fill(main, head("Health"), place, tiles);
  return every(async () => {
    await Promise.all([draw(place, healthOfParts), draw(tiles, domainFigures)]);
  });
}

async function healthOfParts() {
  let parts;
  try {
    parts = await call("GET", "/readyz");
  } catch (error) {
    // 503 has the parts too, but says that no request can be served: nothing else will answer either.
    if (error.status !== 503) throw error;
    return notice("PostgreSQL does not answer: no request can be served", "bad");
  }
  const { state: whole, ...rest } = parts;
  if (!Object.keys(rest).length) return notice(`As a whole: ${whole}. The system's key sees each part.`, whole === "ok" ? "" : "warn");
  const nodes = Object.entries(rest.switch?.nodes ?? {});
  return [
    h("div.cards.small", {}, Object.entries(rest).map(([name, part]) => h("section.card", {}, h("div.head", {}, h("h2", {}, TITLES[name] ?? name), state(part.state)), h("p", {}, detail(name, part)), h("p.muted", {}, `Looked at in ${part.ms} ms`)))),
    h("h2", {}, "Switch nodes"),
    table("Switch nodes", [
      { title: "Node", cell: ([name]) => code(name), class: "nowrap" },
      { title: "Worker", cell: ([, node]) => state(node.up ? "up" : "down") },
      { title: "Switch", cell: ([, node]) => node.switchname || node.hostname },
      { title: "Seen", cell: ([, node]) => (node.seen_seconds_ago === null ? "never" : `${node.seen_seconds_ago} s ago`), class: "nowrap" },
      { title: "Waiting", cell: ([name]) => rest.backlog?.nodes?.[name]?.waiting ?? 0, class: "number" },
      { title: "Failed", cell: ([name]) => rest.backlog?.nodes?.[name]?.failed ?? 0, class: "number" },
      { title: "Trouble", cell: ([, node]) => (node.error || node.socket_error ? h("span.reason", {}, node.error || node.socket_error) : h("span.muted", {}, "none")) },
    ], nodes, "No node has ever been seen. Is a worker running?"),
  ];
}

const TITLES = { postgresql: "PostgreSQL", redis: "Redis", switch: "Switch", backlog: "Backlog", plugins: "Plugins" };

function detail(name, part) {
  const sum = (key) => Object.values(part.nodes ?? {}).reduce((total, node) => total + node[key], 0);
  if (part.error) return part.error;
  if (name === "switch") return `${Object.values(part.nodes).filter((node) => node.up).length} of ${Object.keys(part.nodes).length} nodes up`;
  if (name === "backlog") return `${sum("waiting") + part.homeless} wait, ${sum("failed")} failed`;
  if (name === "plugins") {
    const bad = [...Object.keys(part.left_out ?? {}).map((plugin) => `${plugin} is left out`), ...Object.entries(part.checks ?? {}).filter(([, word]) => word.startsWith("failed")).map(([check, word]) => `${check} ${word}`)];
    return bad.join("; ") || "All serve";
  }
  return part.state === "ok" ? "Answers" : "See the log";
}

async function domainFigures() {
  const { data } = await call("GET", "/dashboard/stats");
  const tile = (title, value) => h("div.tile", {}, h("dt", {}, title), h("dd", {}, value.toLocaleString("en")));
  return [h("h2", {}, "Domain ", session.domain), h("dl.tiles", {}, tile("Extensions", data.extensions.total), tile("Users", data.users.total), tile("Gateways", data.gateways.total), tile("New voicemails", data.voicemails.new_messages), tile("Calls today", data.calls.today_total))];
}

// Changes.

function changes(main) {
  const which = h("select", { id: "which" }, [["failed", "Failed"], ["pending", "Waiting"], ["", "All"]].map(([value, text]) => h("option", { value }, text)));
  const everywhere = h("input", { type: "checkbox", checked: true });
  const place = h("section", {}, h("p.loading", {}, "Loading …"));
  const look = () => draw(place, async () => {
    const { data, pagination } = await call("GET", "/changes", { query: { state: which.value, all_domains: String(everywhere.checked), per_page: 50 } });
    const retryable = data.filter((row) => row.state !== "applied");
    return [
      h("div.row", {}, h("p", {}, `${pagination.total.toLocaleString("en")} ${pagination.total === 1 ? "change" : "changes"}${data.length < pagination.total ? `, the newest ${data.length} shown` : ""}`), which.value === "failed" && retryable.length > 1 && h("button", { type: "button", data: { name: "retry-all" }, on: { click: () => again(retryable) } }, `Try these ${retryable.length} again`)),
      table("Changes", [
        { title: "Made", cell: (row) => when(row.created_at) },
        { title: "Domain", cell: (row) => row.domain_name },
        { title: "What", cell: (row) => [row.action, " ", code(row.resource)] },
        { title: "Record", cell: (row) => code(row.record_uuid), class: "nowrap" },
        { title: "State", cell: (row) => state(row.state) },
        { title: "Reason", cell: (row) => h("span.reason", {}, row.error) },
        { title: "", cell: (row) => row.state !== "applied" && h("button.small", { type: "button", data: { name: row.change_id }, "aria-label": `Try ${row.action} of ${row.resource} ${row.record_uuid} again`, on: { click: () => again([row]) } }, "Try again") },
      ], data, which.value === "failed" ? "No change has failed." : which.value ? "No change waits." : "No change has been made yet."),
    ];
  });
  const again = async (rows) => {
    let tried = 0;
    for (const row of rows) {
      try {
        await call("POST", `/changes/${row.change_id}/retry`, { domain: row.domain_uuid });
        tried += 1;
      } catch (error) {
        say(`${row.action} of ${row.resource}: ${error.message}`);
      }
    }
    if (tried) say(tried === 1 ? "The change is tried again" : `${tried} changes are tried again`);
    await look();
  };
  which.addEventListener("change", look);
  everywhere.addEventListener("change", look);
  fill(main, head("Changes"), h("div.filters", {}, h("label", { for: "which" }, "State", which), h("label.check", {}, everywhere, "All domains that the key opens")), place);
  return every(look);
}

// Calls and registrations.

function live(main) {
  const calls = h("section", {}, h("p.loading", {}, "Loading …"));
  const phones = h("section", {}, h("p.loading", {}, "Loading …"));
  fill(main, head("Calls and registrations", h("p.muted", {}, `Domain ${session.domain || "of the key"}, every ${PAUSE / 1000} seconds`)), calls, phones);
  return every(async () => {
    await Promise.all([
      draw(calls, async () => {
        const { data } = await call("GET", "/dashboard/active-calls");
        return [h("h2", {}, `Calls (${data.length})`), table("Calls", [
          { title: "Since", cell: (row) => h("span.nowrap", {}, row.created) },
          { title: "Direction", cell: (row) => row.direction },
          { title: "From", cell: (row) => [...new Set([row.caller_id_name, row.caller_id_number])].join(" ") },
          { title: "To", cell: (row) => row.destination },
          { title: "State", cell: (row) => row.state },
          { title: "Host", cell: (row) => row.hostname },
        ], data, "No call at this moment.")];
      }),
      draw(phones, async () => {
        const { data } = await call("GET", "/dashboard/registrations");
        return [h("h2", {}, `Registrations (${data.length})`), table("Registrations", [
          { title: "User", cell: (row) => code(row.user) },
          { title: "Contact", cell: (row) => code(row.contact) },
          { title: "Agent", cell: (row) => row.agent },
          { title: "Status", cell: (row) => row.status },
          { title: "Profile", cell: (row) => row.profile },
          { title: "Host", cell: (row) => row.hostname },
        ], data, "No phone is registered.")];
      }),
    ]);
  });
}

// Traffic.

let lookFault = null;
let lookers = new Set();

async function lookAtFigures() {
  try {
    const { text } = await call("GET", "/metrics", { headers: { Accept: "text/plain" } });
    figures.push({ at: Date.now(), figures: readFigures(text) });
    if (figures.length > KEPT) figures.shift();
    lookFault = null;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    lookFault = error;
  }
  for (const looker of lookers) looker();
}

function traffic(main) {
  const place = h("div.output", {});
  const look = () => {
    if (lookFault && !figures.length) return fill(place, notice(lookFault.message, lookFault.status === 403 ? "warn" : "bad"));
    if (figures.length < 2) return fill(place, h("p.loading", {}, "The first figures come in a few seconds …"));
    const { times, kinds, routes } = rates(figures);
    const quantiles = latencies(figures);
    keepFocus(place, [
      h("div.cards", {},
        h("section.card", {}, h("h2", {}, "Requests per second"), plot("Requests per second by kind of answer", times, kinds)),
        h("section.card", {}, h("h2", {}, "Time until an answer, in milliseconds"), plot("Milliseconds until an answer began", times, quantiles))),
      h("h2", {}, "Routes"),
      table("Routes of the last minute", [
        { title: "Route", cell: (row) => [h(`span.method.${row.method.toLowerCase()}`, {}, row.method), " ", code(row.route)] },
        { title: "Requests/s", cell: (row) => row.rate.toFixed(row.rate < 10 ? 2 : 0), class: "number" },
        { title: "Average ms", cell: (row) => row.average.toFixed(1), class: "number" },
        { title: "4xx", cell: (row) => row.refused, class: "number" },
        { title: "5xx", cell: (row) => row.failed, class: "number" },
      ], routes, "No request in the last minute."),
    ]);
  };
  fill(main, head("Traffic", h("p.muted", {}, "Of this host, since this page was opened, ten minutes at most")), place);
  lookers.add(look);
  look();
  return () => lookers.delete(look);
}

// Events.

function events(main) {
  const types = h("input", { id: "types", type: "text", placeholder: "extension.*, change.failed", autocomplete: "off", spellcheck: "false" });
  const everywhere = h("input", { type: "checkbox", checked: true });
  const button = h("button.primary", { type: "submit" }, "Listen");
  const sign = h("p", { role: "status" });
  const body = h("tbody", { role: "rowgroup" });
  const columns = [
    { title: "Time", cell: (told) => when(told.timestamp) },
    { title: "Type", cell: (told) => code(told.type), class: "nowrap" },
    { title: "Domain", cell: (told) => told.domain?.name ?? "the system" },
    { title: "Data", cell: (told) => h("details", {}, h("summary", {}, code(summary(told.data))), h("pre.code", { tabindex: "0", "aria-label": "Data" }, JSON.stringify(told.data, null, 2))) },
  ];
  const place = h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Events", hidden: true }, h("table", { role: "table" }, h("caption.hidden", {}, "Events, the newest first"), tableHead(columns), body));
  let control = null;
  let last = "";
  const stop = () => {
    control?.abort();
    control = null;
    button.textContent = "Listen";
  };
  const tell = ({ id, event, data }) => {
    last = id ?? last;
    if (!data) return;
    const told = JSON.parse(data);
    if (event.startsWith("stream.")) return fill(sign, event === "stream.gap" ? badge("events were missed", "warn") : badge(told.reason, "warn"));
    if (place.hidden) fill(sign, badge("listening", "good"));
    place.hidden = false;
    body.prepend(tableRow(columns, told));
    while (body.rows.length > EVENTS_MOST) body.lastChild.remove();
  };
  const listen = async () => {
    const own = (control = new AbortController());
    button.textContent = "Stop";
    while (control === own) {
      const query = new URLSearchParams({ all_domains: String(everywhere.checked), ...(types.value.trim() && { types: types.value.trim() }) });
      try {
        await follow(`${api}/events?${query}`, { signal: own.signal, headers: last ? { "Last-Event-ID": last } : {}, onOpen: () => fill(sign, badge("listening", "good"), body.rows.length ? "" : " Nothing has happened yet.") }, tell);
      } catch (error) {
        if (error.name === "AbortError") break;
        if (error.status && error.status < 500 && error.status !== 429) {
          fill(sign, notice(error.message, "bad"));
          stop();
          return;
        }
        fill(sign, badge("connecting again", "warn"));
      }
      await new Promise((later) => setTimeout(later, 2000));
    }
    if (!control) fill(sign, badge("stopped"));
  };
  const form = h("form.filters", { on: { submit: (event) => { event.preventDefault(); if (control) stop(); else listen(); } } },
    h("label", { for: "types" }, "Types", types), h("label.check", {}, everywhere, "All domains that the key opens"), button);
  fill(main, head("Events", h("p.muted", {}, "As they happen, the newest first")), form, sign, place);
  listen();
  return stop;
}

function summary(data) {
  const text = [data.action, data.resource, data.state].filter(Boolean).join(" ") || JSON.stringify(data);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

// Webhooks.

function webhooks(main) {
  const list = h("section", {}, h("p.loading", {}, "Loading …"));
  const deliveries = h("section", {});
  let chosen = null;
  const lookAtDeliveries = () => chosen && draw(deliveries, async () => {
    const { data } = await call("GET", `/webhooks/${chosen.webhook_uuid}/deliveries`, { query: { per_page: 50 } });
    return [
      h("h2", {}, "Deliveries to ", code(chosen.host)),
      table("Deliveries", [
        { title: "Made", cell: (row) => when(row.created_at) },
        { title: "Type", cell: (row) => code(row.type) },
        { title: "State", cell: (row) => state(row.state) },
        { title: "Attempts", cell: (row) => row.attempts, class: "number" },
        { title: "Status", cell: (row) => row.status ?? "", class: "number" },
        { title: "ms", cell: (row) => row.latency ?? "", class: "number" },
        { title: "Answer", cell: (row) => h("span.reason", {}, row.error || row.response) },
        { title: "Next attempt", cell: (row) => when(row.next_attempt_at) },
      ], data, "Nothing has been delivered yet."),
    ];
  });
  const look = async () => {
    await draw(list, async () => {
      let data;
      try {
        ({ data } = await call("GET", "/webhooks", { query: { per_page: 100 } }));
      } catch (error) {
        if (error.status === 404) return notice("No plugin for webhooks serves here.");
        throw error;
      }
      return table("Webhooks", [
        { title: "To", cell: (row) => code(row.host) },
        { title: "Description", cell: (row) => row.description },
        { title: "Types", cell: (row) => (row.event_types ?? []).map((type) => [code(type), " "]) },
        { title: "State", cell: (row) => state(row.state) },
        { title: "Last success", cell: (row) => when(row.last_success_at) },
        { title: "Last trouble", cell: (row) => h("span.reason", {}, row.last_error) },
        { title: "", cell: (row) => h("button.small", { type: "button", data: { name: row.webhook_uuid }, "aria-label": `Deliveries to ${row.host}`, on: { click: () => { chosen = row; lookAtDeliveries(); } } }, "Deliveries") },
      ], data, `No webhook of domain ${session.domain}.`);
    });
    await lookAtDeliveries();
  };
  fill(main, head("Webhooks"), list, deliveries);
  return every(look);
}

// Plugins.

function plugins(main) {
  const place = h("section", {}, h("p.loading", {}, "Loading …"));
  fill(main, head("Plugins"), place);
  draw(place, async () => {
    const { data } = await call("GET", "/plugins");
    return table("Plugins", [
      { title: "Plugin", cell: (row) => [code(row.name), row.builtin !== "true" && badge("yours")], class: "name nowrap" },
      { title: "Version", cell: (row) => row.version },
      { title: "State", cell: (row) => state(row.state) },
      { title: "Resources", cell: (row) => row.resources.map((name) => [code(name), " "]) },
      { title: "Events", cell: (row) => row.events.length, class: "number" },
      { title: "From", cell: (row) => h("span.reason.muted", {}, row.origin ?? "") },
      ...(data.some((row) => row.error) ? [{ title: "Trouble", cell: (row) => h("span.reason", {}, row.error ?? "") }] : []),
    ], data, "No plugin serves.");
  });
}

start();
