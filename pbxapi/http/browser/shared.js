// What both pages share: elements, requests, the key, and reading a stream.

const root = document.documentElement;
export const api = root.dataset.api;
export const version = root.dataset.version;

/** An element. Properties: `on` for listeners, `data` for data-*, `class`, aria-* and other attributes. */
export function h(name, properties, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Put children in the place of what was there. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// The key stays in this tab, and goes nowhere but into a header of requests to this host.
const KEY = "pbxapi.key";
const DOMAIN = "pbxapi.domain";
const listeners = new Set();
export const session = {
  get key() { return sessionStorage.getItem(KEY) ?? ""; },
  get domain() { return sessionStorage.getItem(DOMAIN) ?? ""; },
  set(key, domain) {
    sessionStorage.setItem(KEY, key);
    sessionStorage.setItem(DOMAIN, domain);
    for (const listener of listeners) listener();
  },
  forget() {
    sessionStorage.removeItem(KEY);
    sessionStorage.removeItem(DOMAIN);
    for (const listener of listeners) listener();
  },
  onChange(listener) { listeners.add(listener); },
};

/** A fault that a person is told; `status` is 0 where there was no answer. */
export class Fault extends Error {
  constructor(message, status = 0, code = "", field = "") {
    super(message);
    Object.assign(this, { status, code, field });
  }
}

function headersOf(key, domain, more) {
  const headers = { Accept: "application/json", ...more };
  if (key) headers["X-API-Key"] = key;
  if (domain) headers["X-Domain"] = domain;
  return headers;
}

/** The answer to a request below the prefix, whatever it is: status, headers, text, milliseconds. */
export async function send(method, url, { headers = {}, body, key = session.key, domain = session.domain, signal } = {}) {
  const started = performance.now();
  let response;
  try {
    response = await fetch(url, { method, body, signal, headers: headersOf(key, domain, headers), cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("The server does not answer");
  }
  return { response, status: response.status, headers: response.headers, ms: Math.round(performance.now() - started) };
}

/** `data` and the rest of a successful answer. Raises a Fault for any other. */
export async function call(method, path, { query = {}, json, ...more } = {}) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined));
  const body = json === undefined ? undefined : JSON.stringify(json);
  const { response } = await send(method, `${api}${path}${parameters.size ? `?${parameters}` : ""}`, { body, ...more });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = null;
  }
  if (response.ok) return answer ?? { text };
  const error = answer?.error ?? {};
  throw new Fault(error.message ?? `The server answers ${response.status}`, response.status, error.code, error.field);
}

/** Server-sent events until the signal; `tell` gets each message as {id, event, data}. */
export async function follow(url, { signal, headers = {}, onOpen = () => {} }, tell) {
  const { response } = await send("GET", url, { signal, headers: { ...headers, Accept: "text/event-stream" } });
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Fault(answer.error?.message ?? `The server answers ${response.status}`, response.status, answer.error?.code);
  }
  onOpen(response);
  let text = "";
  for await (const part of parts(response.body.pipeThrough(new TextDecoderStream()))) {
    const messages = (text + part).split("\n\n");
    text = messages.pop();
    for (const message of messages) {
      tell(Object.fromEntries(message.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)])));
    }
  }
}

async function* parts(stream) {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    reader.releaseLock();
  }
}

/** The corner that says whose key and domain are used, and lets them be changed. */
export function sessionCorner(element) {
  const show = () =>
    fill(
      element,
      session.key
        ? [
            h("span.who", {}, h("span.muted", {}, "Domain "), h("strong", {}, session.domain || "of the key")),
            h("button", { type: "button", on: { click: () => signIn() } }, "Change"),
            h("button", { type: "button", on: { click: () => session.forget() } }, "Forget key"),
          ]
        : h("button.primary", { type: "button", on: { click: () => signIn() } }, "Enter key"),
    );
  session.onChange(show);
  show();
}

/** Ask for key and domain, in a dialog. */
export function signIn() {
  const dialog = h("dialog", { "aria-labelledby": "sign-in-title" });
  const close = () => {
    dialog.close();
    dialog.remove();
  };
  dialog.append(
    h("h2", { id: "sign-in-title" }, "Key and domain"),
    signInForm(close, h("button", { type: "button", on: { click: close } }, "Cancel")),
  );
  dialog.addEventListener("cancel", close);
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("input").focus();
}

/** The form for key and domain; both are tried before they are kept. */
export function signInForm(done = () => {}, ...more) {
  const key = h("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false", "aria-describedby": "key-hint sign-in-fault", value: session.key });
  const domain = h("input", { id: "domain", type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "none", "aria-describedby": "domain-hint sign-in-fault", value: session.domain });
  const fault = h("p.fault", { id: "sign-in-fault", role: "alert" });
  const button = h("button.primary", { type: "submit" }, "Use it");
  const tryIt = async (event) => {
    event.preventDefault();
    fault.textContent = "";
    button.disabled = true;
    for (const field of [key, domain]) field.removeAttribute("aria-invalid");
    try {
      await call("GET", "/plugins", { key: key.value.trim(), domain: domain.value.trim() });
    } catch (error) {
      // A key without this very scope is good for other things.
      if (error.status !== 403) {
        fault.textContent = error.message;
        (error.status === 400 ? domain : key).setAttribute("aria-invalid", "true");
        (error.status === 400 ? domain : key).focus();
        button.disabled = false;
        return;
      }
    }
    session.set(key.value.trim(), domain.value.trim());
    done();
  };
  return h(
    "form.stack",
    { on: { submit: tryIt } },
    h("label", { for: "key" }, "API key"),
    key,
    h("p.hint", { id: "key-hint" }, "It stays in this tab, and is forgotten when the tab is closed."),
    h("label", { for: "domain" }, "Domain"),
    domain,
    h("p.hint", { id: "domain-hint" }, "Name or uuid. A key that opens one domain needs none."),
    fault,
    h("div.actions", {}, button, more),
  );
}

export function badge(text, kind = "") {
  return h(`span.badge${kind ? `.${kind}` : ""}`, {}, text);
}

export function notice(text, kind = "") {
  return h(`p.notice${kind ? `.${kind}` : ""}`, kind === "bad" ? { role: "alert" } : {}, text);
}

export function copyButton(text, label = "Copy") {
  const button = h("button.small", { type: "button" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed here";
    }
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** A table that can be scrolled by keyboard; columns are {title, cell(row), class}. */
export function table(caption, columns, rows, empty) {
  if (!rows.length) return h("p.empty", {}, empty);
  return h(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { role: "table" },
      h("caption.hidden", {}, caption),
      tableHead(columns),
      h("tbody", { role: "rowgroup" }, rows.map((row) => tableRow(columns, row))),
    ),
  );
}

// The roles say what a narrow screen's layout, each row a card, would take away.
export const tableHead = (columns) =>
  h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((column) => h("th", { role: "columnheader", scope: "col", class: column.class }, column.title || h("span.hidden", {}, "To do")))));
export const tableRow = (columns, row) =>
  h("tr", { role: "row" }, columns.map((column) => h("td", { role: "cell", class: column.class, data: { title: column.title } }, column.cell(row))));
