// The API reference: what openapi.json describes, and a form for each operation that sends real requests.

import { api, badge, byId, copyButton, fill, follow, h, notice, send, session, sessionCorner, signIn, table, version } from "./shared.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const FAMILIES = { rest: "REST", php: "PHP" };
const STREAM = "text/event-stream";

const state = { document: null, operations: new Map(), family: "rest", search: "" };

async function start() {
  sessionCorner(byId("session"));
  try {
    const { response } = await send("GET", `${api}/openapi.json`, { key: "", domain: "" });
    if (!response.ok) throw new Error(`The server answers ${response.status}`);
    state.document = await response.json();
  } catch (error) {
    fill(byId("main"), notice(`The description of the API could not be loaded: ${error.message}`, "bad"));
    return;
  }
  for (const [path, methods] of Object.entries(state.document.paths)) {
    for (const method of METHODS) {
      const described = methods[method];
      if (described) state.operations.set(described.operationId, { ...described, path, method, family: described.operationId.split(".").at(-1) });
    }
  }
  fill(byId("family"), h("legend", {}, "URLs"), Object.entries(FAMILIES).map(([name, label]) => familyChoice(name, label)));
  byId("search").addEventListener("input", showList);
  window.addEventListener("hashchange", () => show(true));
  show(false);
}

function familyChoice(name, label) {
  const change = () => {
    state.family = name;
    const other = state.operations.get(asked().replace(/\.(rest|php)$/, `.${name}`));
    if (other && other.operationId !== asked()) location.hash = other.operationId;
    else showList();
  };
  return h("label", {}, h("input", { type: "radio", name: "family", value: name, checked: name === state.family, on: { change } }), label);
}

const asked = () => decodeURIComponent(location.hash.slice(1));

function show(moved) {
  const id = asked();
  const operation = state.operations.get(id);
  const event = id.startsWith("event:") && state.document.webhooks?.[id.slice(6)];
  if (operation && operation.family !== state.family) {
    state.family = operation.family;
    document.querySelector(`input[name=family][value=${state.family}]`).checked = true;
  }
  document.title = `${operation?.summary ?? (event ? id.slice(6) : "pbxapi reference")} · pbxapi`;
  fill(byId("main"), operation ? operationPage(operation) : event ? eventPage(id.slice(6), event.post) : welcome());
  showList();
  if (moved) {
    byId("main").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

// The list at the side.

function showList() {
  state.search = byId("search").value.trim().toLowerCase();
  const matches = (...texts) => state.search.split(/\s+/).every((word) => texts.join(" ").toLowerCase().includes(word));
  const current = asked();
  const groups = state.document.tags.map(({ name, description }) => {
    const found = [...state.operations.values()].filter(
      (operation) => operation.family === state.family && operation.tags[0] === name &&
        matches(name, description, operation.summary, operation.path, operation.method, operation.description, operation.operationId),
    );
    return group(name, found.map((operation) => entry(operation.operationId, operation.summary, operation.method, current)), found.some(({ operationId }) => operationId === current));
  });
  const events = Object.entries(state.document.webhooks ?? {}).filter(([name, { post }]) => matches("events webhooks", name, post.summary));
  groups.push(group("event types", events.map(([name]) => entry(`event:${name}`, name, "", current)), current.startsWith("event:")));
  const shown = groups.filter(Boolean);
  // On a narrow screen the list makes room for what was chosen.
  document.body.classList.toggle("chosen", Boolean(current) && !state.search);
  fill(byId("operations"), shown.length ? shown : h("p.empty", { role: "status" }, "Nothing is called like that."));
  byId("operations").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
}

function group(name, entries, holdsCurrent) {
  if (!entries.length) return null;
  return h("details", { open: Boolean(state.search) || holdsCurrent }, h("summary", {}, name, h("span.count", {}, entries.length)), h("ul", {}, entries));
}

function entry(id, text, method, current) {
  return h("li", {}, h("a", { href: `#${id}`, "aria-current": id === current && "true" }, method && methodBadge(method), h("span", {}, text)));
}

const methodBadge = (method) => h(`span.method.${method}`, {}, method.toUpperCase());

// What is shown in the middle.

function welcome() {
  const origin = `${location.origin}${api}`;
  const example = `curl -H "X-API-Key: $KEY" -H "X-Domain: pbx.example.com" \\\n     "${origin}/extensions?per_page=1"`;
  return [
    h("h1", {}, "API reference"),
    h("p.lead", {}, `pbxapi ${version}: ${state.operations.size} operations of ${state.document.tags.length} resources, in two families of URLs with the same answers. Choose one at the side, or search.`),
    h("div.cards", {},
      h("section.card", {}, h("h2", {}, "Every request"), h("p", {}, "carries the header ", h("code", {}, "X-API-Key"), ", and ", h("code", {}, "X-Domain"), ": the name or uuid of the domain that it is about. A key that opens one domain may leave that out."), codeBlock(example)),
      h("section.card", {}, h("h2", {}, "Every answer"), h("p", {}, "is JSON: ", h("code", {}, "success"), " and ", h("code", {}, "data"), ", or an ", h("code", {}, "error"), " with a code, a message and the field at fault. A list has ", h("code", {}, "pagination"), " besides."), codeBlock('{"success": false,\n "error": {"code": "VALIDATION_ERROR",\n           "message": "Extension is required",\n           "field": "extension"}}')),
      h("section.card", {}, h("h2", {}, "Every write"), h("p", {}, "is noted as a change, which the switch nodes take up afterwards: ", h("code", {}, "X-Change-Id"), " names it. With ", h("code", {}, "Prefer: wait=5"), " the answer waits for them. ", h("code", {}, "Idempotency-Key"), " makes a POST safe to repeat.")),
      h("section.card", {}, h("h2", {}, "Try it"), h("p", {}, "Each operation has a form that sends the real request, with your key, to this host. What it changes is changed."), session.key ? h("p", {}, "Your key is in this tab.") : h("button.primary", { type: "button", on: { click: () => signIn() } }, "Enter key")),
    ),
  ];
}

function operationPage(operation) {
  const scope = operation.description?.match(/`([^`]+)`/)?.[1];
  const own = (operation.parameters ?? []).map(resolve);
  const body = operation.requestBody?.content?.["application/json"]?.schema;
  return [
    crumb(operation.tags[0]),
    h("h1", {}, operation.summary),
    h("p.route", {}, methodBadge(operation.method), h("code", {}, operation.path), copyButton(`${location.origin}${operation.path}`, "Copy URL"), h("button.small", { type: "button", on: { click: () => byId("try").scrollIntoView() } }, "Try it")),
    scope && h("p", {}, "Needs the scope ", h("code", {}, scope), "."),
    own.length > 0 && h("section", {}, h("h2", {}, "Parameters"), table("Parameters", [
      { title: "Name", cell: (row) => [h("code", {}, row.name), row.required && badge("required", "warn")], class: "name" },
      { title: "In", cell: (row) => row.in },
      { title: "Meaning", cell: (row) => words(row.description || typeOf(row.schema)) },
    ], own, "")),
    body && h("section", {}, h("h2", {}, "Body"), schemaTable(body, "Fields of the body", true)),
    tryIt(operation, own, body),
    h("section", {}, h("h2", {}, "Answers"), Object.entries(operation.responses).map(([status, response]) => answerPart(status, resolve(response)))),
  ];
}

const crumb = (name) => h("p.crumb", {}, h("a", { href: "#" }, "All operations"), ` / ${name}`);

function answerPart(status, response) {
  const content = response.content ?? {};
  const schema = resolve(content["application/json"]?.schema ?? {});
  const data = schema.properties?.data && resolve(schema.properties.data);
  return h("details.answer", { open: status !== "default" },
    h("summary", {}, badge(status === "default" ? "4xx, 5xx" : status, status === "default" ? "bad" : "good"), h("span", {}, response.description)),
    data ? [h("p.muted", {}, data.type === "array" ? "data: a list of" : "data:"), schemaTable(data.type === "array" ? data.items : data, `Fields of the answer ${status}`)] : schema.properties && schemaTable(schema, `Fields of the answer ${status}`),
    content[STREAM] && h("p", {}, "With ", h("code", {}, `Accept: ${STREAM}`), " the answer stays open and tells events as they come."));
}

function eventPage(name, described) {
  const parts = described.requestBody.content["application/json"].schema.allOf.map(resolve);
  const whole = { type: "object", properties: { ...parts[0].properties, type: { const: name }, data: parts[1].properties.data } };
  return [
    crumb("event types"),
    h("h1", {}, h("code", {}, name)),
    h("p.lead", {}, described.summary),
    h("p", {}, "Webhooks get it as the body of a POST, the event stream as the data of a message."),
    h("section", {}, h("h2", {}, "Payload"), schemaTable(whole, "Fields of the payload")),
    h("section", {}, h("h2", {}, "Example"), codeBlock(JSON.stringify(example(whole, true), null, 2))),
  ];
}

// Schemas.

function resolve(thing) {
  let found = thing;
  for (let depth = 0; found?.$ref && depth < 8; depth += 1) {
    found = found.$ref.slice(2).split("/").reduce((place, part) => place?.[part], state.document);
  }
  return found ?? {};
}

function typeOf(schema) {
  const found = resolve(schema);
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  const name = Array.isArray(found.type) ? found.type.join(" or ") : (found.type ?? "any");
  if (found.type === "array") return `list of ${typeOf(found.items ?? {})}`;
  return found.format ? `${name} (${found.format})` : name;
}

function rules(schema) {
  const found = resolve(schema);
  return [
    found.description,
    found.default === "" && "Empty unless sent.",
    found.default !== undefined && found.default !== null && found.default !== "" && `\`${JSON.stringify(found.default)}\` unless sent.`,
    found.maxLength !== undefined && `At most ${found.maxLength} characters.`,
    found.minimum !== undefined && `At least ${found.minimum}.`,
    found.maximum !== undefined && `At most ${found.maximum}.`,
    found.pattern && `Matches ${found.pattern}.`,
  ].filter(Boolean).join(" ");
}

function schemaTable(schema, caption, sent = false) {
  const rows = [];
  const walk = (part, prefix, depth) => {
    const found = resolve(part);
    for (const [name, property] of Object.entries(found.properties ?? {})) {
      const inner = resolve(property);
      if (sent && inner.readOnly) continue;
      rows.push({ name: prefix + name, schema: property, required: found.required?.includes(name), readOnly: inner.readOnly });
      if (depth < 4) walk(inner.type === "array" ? (inner.items ?? {}) : inner, `${prefix}${name}${inner.type === "array" ? "[]" : ""}.`, depth + 1);
    }
  };
  walk(schema, "", 0);
  return table(caption, [
    { title: "Field", cell: (row) => [h("code", {}, row.name), row.required && badge("required", "warn"), !sent && row.readOnly && badge("read only")], class: "name" },
    { title: "Type", cell: (row) => typeOf(row.schema) },
    { title: "Rules", cell: (row) => words(rules(row.schema)) },
  ], rows, "No fields.");
}

/** A text whose `parts` in backquotes are code. */
function words(text) {
  return (text ?? "").split("`").map((part, number) => (number % 2 ? h("code", {}, part) : part));
}

/** A value that fits a schema; of an object's fields the required ones, or the first, or all. */
function example(schema, all = false, depth = 0) {
  const found = resolve(schema);
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  if (found.default !== undefined) return found.default;
  const type = Array.isArray(found.type) ? found.type[0] : found.type;
  if (type === "array") return all && depth < 4 ? [example(found.items ?? {}, all, depth + 1)] : [];
  if (type === "object") {
    const names = Object.keys(found.properties ?? {}).filter((name) => all || !resolve(found.properties[name]).readOnly);
    const needed = names.filter((name) => found.required?.includes(name));
    const chosen = all ? names : needed.length ? needed : names.slice(0, 1);
    return depth > 4 ? {} : Object.fromEntries(chosen.map((name) => [name, example(found.properties[name], all, depth + 1)]));
  }
  if (type === "integer" || type === "number") return 0;
  if (type === "boolean") return false;
  if (found.format === "uuid") return "00000000-0000-0000-0000-000000000000";
  return "";
}

// The form.

function tryIt(operation, parameters, body) {
  const fields = new Map();
  const rows = parameters
    .filter(({ name }) => name !== "X-Domain")
    .map((parameter) => {
      const id = `try-${parameter.in}-${parameter.name}`;
      const input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false", required: Boolean(parameter.required) });
      fields.set(parameter, input);
      return h("div.field", {}, h("label", { for: id }, parameter.name, parameter.required && h("span.muted", {}, " (required)")), input);
    });
  const uuid = operation.path.includes("{uuid}") && !parameters.some(({ in: place }) => place === "path");
  if (uuid) {
    const input = h("input", { id: "try-path-uuid", type: "text", autocomplete: "off", spellcheck: "false", required: true });
    fields.set({ name: "uuid", in: "path" }, input);
    rows.unshift(h("div.field", {}, h("label", { for: "try-path-uuid" }, "uuid ", h("span.muted", {}, "(required)")), input));
  }
  const text = body && h("textarea", { id: "try-body", rows: "10", spellcheck: "false", value: JSON.stringify(example(body), null, 2) });
  const streams = Boolean(operation.responses["200"]?.content?.[STREAM]);
  const listen = streams && h("input", { id: "try-stream", type: "checkbox" });
  const output = h("div.output", { "aria-live": "polite" });
  const line = h("pre.code", { tabindex: "0", "aria-label": "The request as a curl command" });
  const button = h("button.primary", { type: "submit" }, `Send ${operation.method.toUpperCase()}`);
  const stop = h("button", { type: "button", hidden: true }, "Stop");

  const made = () => {
    let path = operation.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [{ name, in: place }, input] of fields) {
      const value = input.value.trim();
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value) || `{${name}}`);
      else if (value && place === "query") query.append(name, value);
      else if (value && place === "header") headers[name] = value;
    }
    if (listen?.checked) headers.Accept = STREAM;
    return { url: path + (query.size ? `?${query}` : ""), headers, body: text?.value };
  };
  const quote = (value) => `'${value.replaceAll("'", `'\\''`)}'`;
  const curl = () => {
    const { url, headers, body: sent } = made();
    const all = { "X-API-Key": "$KEY", ...(session.domain && { "X-Domain": session.domain }), ...headers };
    const method = operation.method === "get" || (operation.method === "post" && sent) ? "" : ` -X ${operation.method.toUpperCase()}`;
    return [
      `curl${listen?.checked ? " -N" : ""}${method} ${quote(location.origin + url)}`,
      ...Object.entries(all).map(([name, value]) => `-H ${name === "X-API-Key" ? `"${name}: ${value}"` : quote(`${name}: ${value}`)}`),
      ...(sent ? [`-d ${quote(compact(sent))}`] : []),
    ].join(" \\\n     ");
  };
  const refresh = () => (line.textContent = curl());
  const form = h("form.try", { on: { input: refresh } },
    rows.length > 0 && h("div.fields", {}, rows),
    text && h("div.field", {},
      h("div.row", {}, h("label", { for: "try-body" }, "Body"), h("button.small", { type: "button", on: { click: () => { text.value = JSON.stringify(example(body, "all"), null, 2); refresh(); } } }, "All fields")),
      text),
    listen && h("label.check", {}, listen, "Listen: keep the answer open, and tell events as they come"),
    h("div.actions", {}, button, stop),
  );
  session.onChange(refresh);
  refresh();

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!session.key) return signIn();
    if (operation.method === "delete" && !window.confirm("This deletes the record. Go on?")) return;
    const request = made();
    const control = new AbortController();
    button.disabled = true;
    fill(output, h("p.loading", {}, listen?.checked ? "Listening …" : "Waiting for the answer …"));
    try {
      if (listen?.checked) await listenTo(request, control, stop, output);
      else fill(output, answerOf(await send(operation.method.toUpperCase(), request.url, { ...request, signal: control.signal })));
    } catch (error) {
      if (error.name !== "AbortError") output.append(notice(error.message, "bad"));
    } finally {
      button.disabled = false;
      stop.hidden = true;
    }
  });

  return h("section.panel", { id: "try" }, h("h2", {}, "Try it"), form, output,
    h("div.row", {}, h("h3", {}, "As a command"), copyButton(curl)), line);
}

async function listenTo(request, control, stop, output) {
  const lines = h("pre.code", { tabindex: "0", "aria-label": "Events" });
  stop.hidden = false;
  stop.onclick = () => control.abort();
  await follow(request.url, { signal: control.signal, headers: request.headers, onOpen: () => fill(output, h("p", {}, badge("open", "good"), " Events appear here."), lines) }, (message) => {
    if (message.data) lines.append(`${message.id ?? ""} ${message.event}\n${JSON.stringify(JSON.parse(message.data), null, 2)}\n\n`);
  });
}

function answerOf({ response, status, headers, ms }) {
  const place = h("div", {});
  const shown = ["X-Change-Id", "X-Change-State", "ETag", "Retry-After", "RateLimit-Remaining", "X-Request-Id"].filter((name) => headers.get(name));
  response.text().then((text) => {
    let pretty = text;
    try {
      pretty = JSON.stringify(JSON.parse(text), null, 2);
    } catch { /* it is no JSON, and shown as it came */ }
    fill(place,
      h("p", {}, badge(status, status < 400 ? "good" : "bad"), h("span.muted", {}, ` ${ms} ms, ${text.length.toLocaleString("en")} characters`)),
      shown.length > 0 && h("dl.facts", {}, shown.map((name) => [h("dt", {}, name), h("dd", {}, h("code", {}, headers.get(name)))])),
      h("pre.code", { tabindex: "0", "aria-label": "The answer" }, pretty || "(no body)"));
  });
  return place;
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

function codeBlock(text) {
  return h("pre.code", { tabindex: "0", "aria-label": "Example" }, text);
}

start();
