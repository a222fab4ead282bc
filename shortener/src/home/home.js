"use strict";

// The API is called as anybody would call it: one request for the owner, one for the URL.
const form = document.getElementById("shorten");
const result = document.getElementById("result");
const key = document.getElementById("key");

async function call(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  if (form.elements.key.value) headers.Authorization = "Bearer " + form.elements.key.value;
  const response = await fetch("/api/v1" + path, { method, headers, body: body && JSON.stringify(body) });
  if (response.status === 401) key.hidden = false;
  const answer = await response.json();
  if (!response.ok) {
    const reasons = Object.entries(answer.errors ?? {}).map(([field, reason]) => `${field} ${reason}`);
    throw Object.assign(new Error(reasons.join("; ") || answer.detail), { status: response.status });
  }
  return { answer, response };
}

/** The id of the user with this address: a new one, or the one there is. */
async function owner(email) {
  try {
    const { answer } = await call("POST", "/users", { username: email.split("@")[0], email });
    return answer.id;
  } catch (error) {
    // A user's key: it sees one user, its own.
    if (error.status === 403) return (await call("GET", "/users")).answer[0].id;
    if (error.status !== 409) throw error;
  }
  for (let page = 1; ; page += 1) {
    const { answer } = await call("GET", `/users?per_page=100&page=${page}`);
    const found = answer.find((user) => user.email === email);
    if (found) return found.id;
    if (answer.length < 100) throw new Error("the user could not be found");
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const values = Object.fromEntries(new FormData(form));
  result.className = "";
  result.textContent = "…";
  try {
    const { answer } = await call("POST", "/urls", {
      user_id: await owner(values.email),
      original_url: values.original_url,
      title: values.title || null,
      short_code: values.short_code || null,
    });
    const link = document.createElement("a");
    link.href = "/" + answer.short_code;
    link.textContent = new URL(link.href, location).href;
    const warnings = (answer.warnings || []).map((warning) => {
      const note = document.createElement("small");
      note.textContent = " Careful: " + warning.detail + ".";
      return note;
    });
    result.replaceChildren(link, ...warnings);
  } catch (error) {
    result.className = "error";
    result.textContent = error.message;
  }
});
