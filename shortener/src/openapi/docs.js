"use strict";

// Shows the OpenAPI document of this service. Texts become text nodes, never HTML, so that nothing in them can do anything.

/** An element with attributes and children; a child that is a string becomes text. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A sentence in which `code` is marked. */
function prose(text) {
  return (text ?? "").split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

function paragraphs(text) {
  return (text ?? "").split("\n\n").filter(Boolean).map((part) => make("p", {}, ...prose(part)));
}

let api;

function resolve(value) {
  if (!value?.$ref) return value;
  const found = value.$ref.slice(2).split("/").reduce((place, step) => place[step.replaceAll("~1", "/").replaceAll("~0", "~")], api);
  return { ...found, ...value };
}

/** What a schema allows, in a few words. */
function type(schema) {
  if (schema?.$ref) {
    const name = schema.$ref.split("/").pop();
    return [make("a", { href: "#type-" + name }, name)];
  }
  if (schema?.anyOf) return schema.anyOf.flatMap((one, place) => (place ? [" or ", ...type(one)] : type(one)));
  if (schema?.enum) return [schema.enum.map((value) => JSON.stringify(value)).join(", ")];
  const names = [schema?.type ?? "anything"].flat();
  if (names.includes("array")) return ["array of ", ...type(schema.items)];
  return [names.join(" or ") + (schema?.format ? ` (${schema.format})` : "")];
}

/** The bounds of a schema, in a few words. */
function bounds(schema) {
  const words = [];
  if (schema.minimum !== undefined) words.push(`at least ${schema.minimum}`);
  if (schema.maximum !== undefined) words.push(`at most ${schema.maximum}`);
  if (schema.maxLength !== undefined) words.push(`${schema.minLength ?? 0} to ${schema.maxLength} characters`);
  if (schema.default !== undefined) words.push(`${JSON.stringify(schema.default)} by default`);
  return words.length ? " " + words.join(", ") + "." : "";
}

function row(name, note, schema, description) {
  const text = description ?? schema?.description ?? "";
  const stop = text && !/[.:]$/.test(text) ? "." : "";
  return make("tr", {},
    make("td", {}, make("code", {}, name), note && make("small", {}, " " + note)),
    make("td", {}, ...type(schema ?? {}), make("br"), make("small", {}, ...prose(text + stop), bounds(schema ?? {}))));
}

function fields(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) =>
    row(name, required.has(name) ? "required" : "", field));
  return make("table", {}, make("tbody", {}, ...rows));
}

/** An example of the body, or one made of the schema. */
function example(content) {
  const given = Object.values(content.examples ?? {})[0]?.value;
  return given === undefined ? "" : JSON.stringify(given, null, 2);
}

function requestBody(body) {
  const parts = [];
  for (const [media, content] of Object.entries(resolve(body).content)) {
    const schema = resolve(content.schema);
    parts.push(make("h4", {}, "Body ", make("small", {}, media)), fields(schema));
    for (const [name, one] of Object.entries(content.examples ?? {})) {
      parts.push(make("p", {}, make("small", {}, "Example: " + name)), make("pre", {}, JSON.stringify(one.value, null, 2)));
    }
  }
  return parts;
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, given]) => {
    const answer = resolve(given);
    const shapes = Object.entries(answer.content ?? {}).flatMap(([media, content]) => [make("br"), make("small", {}, media + ": ", ...type(content.schema))]);
    const headers = Object.keys(answer.headers ?? {});
    return make("tr", {},
      make("td", {}, make("code", {}, status)),
      make("td", {}, ...prose(answer.description), ...shapes, headers.length ? make("br") : "", headers.length ? make("small", {}, "Headers: " + headers.join(", ")) : ""));
  });
  return make("table", {}, make("tbody", {}, ...rows));
}

/** Sends the request that a form describes, and shows what comes back. */
async function send(method, path, base, form, output) {
  const query = new URLSearchParams();
  let address = path;
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.dataset.in === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.append(input.name, input.value);
  }
  const headers = {};
  const key = document.getElementById("settings").elements.key.value;
  if (key) headers.Authorization = "Bearer " + key;
  let body;
  const text = form.querySelector("textarea");
  const file = form.querySelector("input[type=file]");
  if (text) {
    headers["Content-Type"] = text.dataset.media;
    body = text.value;
  } else if (file) {
    body = new FormData();
    if (file.files[0]) body.append("file", file.files[0]);
  }
  const search = query.size ? "?" + query : "";
  output.className = "";
  try {
    // Where a short URL leads is another site's business: it is not followed from here.
    const response = await fetch(base + address + search, { method: method.toUpperCase(), headers, body, redirect: "manual" });
    const shown = response.type === "opaqueredirect" ? "a redirect; browsers do not tell pages where to" : `${response.status} ${response.statusText}`;
    const answer = await response.text();
    let pretty = answer;
    try { pretty = JSON.stringify(JSON.parse(answer), null, 2); } catch { /* It is no JSON: shown as it is. */ }
    const told = ["link", "x-total-count", "etag", "retry-after"].filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    output.textContent = [shown, ...told, "", pretty].join("\n").trim();
  } catch (error) {
    output.className = "error";
    output.textContent = error.message;
  }
}

function trial(method, path, base, operation) {
  const form = make("form", { class: "try" });
  for (const parameter of (operation.parameters ?? []).map(resolve)) {
    const input = parameter.schema?.enum
      ? make("select", {}, make("option", { value: "" }, ""), ...parameter.schema.enum.map((value) => make("option", {}, String(value))))
      : make("input", { autocomplete: "off" });
    input.name = parameter.name;
    input.dataset.in = parameter.in;
    input.required = Boolean(parameter.required);
    if (parameter.in !== "header") form.append(make("label", {}, parameter.name, input));
  }
  const [media, content] = Object.entries(resolve(operation.requestBody)?.content ?? {})[0] ?? [];
  if (media?.startsWith("multipart/")) form.append(make("label", {}, "file", make("input", { type: "file" })));
  else if (media) {
    const text = make("textarea", { spellcheck: "false", "data-media": media });
    text.value = example(content);
    form.append(make("label", {}, "Body", text));
  }
  const output = make("pre", { role: "status", "aria-live": "polite" });
  output.hidden = true;
  form.append(make("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = "…";
    send(method, path, base, form, output);
  });
  return make("details", {}, make("summary", {}, "Try it"), make("div", {}, form));
}

function show(path, item, method) {
  const operation = item[method];
  const base = (item.servers ?? api.servers)[0].url.replace(/\/$/, "");
  const scope = operation["x-scope"];
  const parameters = (operation.parameters ?? []).map(resolve);
  const details = make("details", { id: operation.operationId },
    make("summary", {},
      make("span", { class: "method " + method }, method.toUpperCase()), make("code", {}, base + path),
      make("span", { class: "scope" }, scope ? `scope ${scope}` : "no key needed"), make("br"), operation.summary),
    make("div", {},
      ...paragraphs(operation.description),
      parameters.length ? make("h4", {}, "Parameters") : "",
      parameters.length ? make("table", {}, make("tbody", {}, ...parameters.map((one) =>
        row(one.name, one.in + (one.required ? ", required" : ""), one.schema, one.description)))) : "",
      ...(operation.requestBody ? requestBody(operation.requestBody) : []),
      make("h4", {}, "Answers"), answers(operation.responses),
      trial(method, path, base, operation)));
  return details;
}

const METHODS = ["get", "head", "post", "put", "patch", "delete"];

function draw() {
  const operations = document.getElementById("operations");
  const contents = document.getElementById("contents");
  document.getElementById("about").replaceChildren(
    `${api.info.summary}. Version ${api.info.version}, OpenAPI ${api.openapi}. The document: `,
    make("a", { href: "/api/v1/openapi.json" }, "openapi.json"));
  for (const tag of api.tags) {
    const list = make("ul");
    operations.append(make("h2", {}, tag.name), make("p", {}, ...prose(tag.description)));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((method) => item[method]?.tags.includes(tag.name))) {
        operations.append(show(path, item, method));
        list.append(make("li", {}, make("a", { href: "#" + item[method].operationId }, item[method].summary + (method === "head" ? " (HEAD)" : ""))));
      }
    }
    contents.append(make("h2", {}, tag.name), list);
  }
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    document.getElementById("schemas").append(make("details", { id: "type-" + name },
      make("summary", {}, make("code", {}, name)), make("div", {}, ...paragraphs(schema.description), fields(schema))));
  }
  open();
}

/** Opens what the address names. */
function open() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

addEventListener("hashchange", open);
fetch("/api/v1/openapi.json")
  .then((response) => response.json())
  .then((document) => { api = document; draw(); })
  .catch((error) => {
    const about = document.getElementById("about");
    about.className = "error";
    about.textContent = "The document could not be shown: " + error.message;
  });
