// The counter's console. One press has one key: however often it is sent, it is done once.
import { fill, hour, make, setting, watch } from "./live.js";

const TRIES = 5, PATIENCE = 8000, FIRST_PAUSE = 500, BETWEEN_CALLS = 1500;
const KEYS = { n: "next", " ": "next", r: "recall", s: "start", f: "finish", v: "no-show", p: "pause" };
const { counter, site, language, words } = setting();
const csrf = document.querySelector("meta[name=csrf-token]").content;
const at = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-verb], [data-open]")];
const pending = new Map(); // presses whose answer never came, by what was asked
let state = null, busy = false, rested = 0, reading = false, readAgain = false;

function key() {
  // crypto.randomUUID is missing on plain http in a station's own network.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const rest = (pause) => new Promise((done) => setTimeout(done, pause));

async function send(path, body, onRetry) {
  const asked = path + JSON.stringify(body ?? null);
  if (!pending.has(asked)) pending.set(asked, key());
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt) { onRetry(words.retrying); await rest(FIRST_PAUSE * 2 ** attempt); }
    try {
      const answer = await fetch(path, {
        method: "POST", signal: AbortSignal.timeout(PATIENCE), body: body ? JSON.stringify(body) : null,
        headers: {
          "Idempotency-Key": pending.get(asked), "X-CSRFToken": csrf, Accept: "application/json",
          ...(body ? { "Content-Type": "application/json" } : {}),
        },
      });
      if (answer.status >= 502) continue;
      pending.delete(asked);
      return { status: answer.status, body: answer.status === 204 ? null : await answer.json().catch(() => ({})) };
    } catch { /* no answer: the same press again */ }
  }
  return { status: 0, body: {} };
}

const half = (text) => { const parts = (text || "").split(" / "); return language === "en" ? parts.at(-1) : parts[0]; };

function why(answer) {
  if (answer.status === 0) return words.unsure;
  if (answer.status === 401) return words.signed_out;
  const first = answer.body.errors?.[0]?.detail;
  return half(first || answer.body.detail || answer.body.title) || String(answer.status);
}

function say(place, text, kind = "") {
  place.textContent = text;
  place.className = "word " + kind;
  place.hidden = !text;
}

async function press(verb, body) {
  if (busy || !state) return;
  if (verb === "pause" && state.counter.state !== "open") verb = "resume";
  busy = true;
  lock();
  const number = state.current?.number ?? "";
  const answer = await send(`/api/v1/counters/${counter}/${verb}`, body, (text) => say(at("answer"), text, "warn"));
  if (answer.status === 204) say(at("answer"), words.empty);
  else if (answer.status === 200) say(at("answer"), fill(words.done[verb], { number: answer.body.number ?? number }), "go");
  else say(at("answer"), why(answer), "warn");
  // Two presses in a row would send away whoever was called just now.
  rested = verb === "next" && answer.status === 200 ? Date.now() + BETWEEN_CALLS : 0;
  if (rested) setTimeout(lock, BETWEEN_CALLS + 20);
  busy = false;
  await read();
  lock();
}

function lock() {
  const now = state?.current?.state ?? "none";
  const open = state?.counter.state === "open";
  for (const button of buttons) {
    const fits = !button.dataset.needs || button.dataset.needs.split(" ").includes(now);
    button.disabled = busy || !state || !fits || (button.dataset.verb === "next" && (!open || Date.now() < rested));
  }
  document.body.classList.toggle("busy", busy);
}

async function read() {
  if (reading) { readAgain = true; return; }
  reading = true;
  try {
    const answer = await fetch(`/api/v1/counters/${counter}`, { cache: "no-store", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 401) say(at("lost"), words.signed_out, "warn");
    if (answer.ok) { state = await answer.json(); draw(); say(at("lost"), ""); }
  } catch {
    say(at("lost"), words.offline, "warn");
  }
  reading = false;
  if (readAgain) { readAgain = false; await read(); }
}

const kind = (one) => one.slot ? fill(words.booked, { time: hour(one.slot) }) : words.walk_in;

function draw() {
  const { current, counter: desk } = state;
  const card = at("current");
  card.dataset.state = current ? current.state : desk.state === "open" ? "none" : "paused";
  card.dataset.number = current?.number ?? "";
  at("current-number").textContent = current?.number ?? "–";
  at("current-state").textContent = current ? words[current.state] : desk.state === "open" ? words.nobody : words.paused;
  at("current-person").replaceChildren(...(current ? person(current) : [desk.state === "open" ? words.nobody_hint : words.paused_hint]));
  at("current-more").textContent = current
    ? [kind(current), fill(words.calls, { n: current.calls }), fill(words.since, { time: hour(current.called_at) })].join(" · ") : "";
  at("pause").firstElementChild.textContent = desk.state === "open" ? words.pause : words.resume;
  if (!current) at("transfer").hidden = true;
  drawQueue();
  lock();
}

function person(one) {
  const parts = [make("b", one.service[language])];
  if (one.name) parts.unshift(make("strong", one.name), " · ");
  if (one.priority) parts.push(" ", make("span", words.priority, "tag"));
  return parts;
}

function drawQueue() {
  at("waiting").textContent = state.waiting;
  say(at("empty"), state.waiting ? "" : words.empty);
  at("empty").className = "quiet";
  at("queue").replaceChildren(...state.queue.map((one) => {
    const row = make("li");
    row.dataset.number = one.number;
    const text = make("span");
    text.append(make("b", one.service[language]));
    if (one.priority) text.append(" ", make("span", words.priority, "tag"));
    text.append(make("small", one.why[language]));
    row.append(make("b", one.number, "digits"), text, make("time", one.eta ? hour(one.eta[0]) : ""));
    return row;
  }));
}

function open(id, shown) {
  at(id).hidden = !shown;
  if (shown) at(id).querySelector("select, input").focus();
}

async function submit(form, path, body, said) {
  const button = form.querySelector("button"), word = form.querySelector(".word");
  if (button.disabled) return;
  button.disabled = true;
  const answer = await send(path, body, (text) => say(word, text, "warn"));
  button.disabled = false;
  const good = answer.status === 200 || answer.status === 201;
  say(word, good ? fill(said, answer.body) : why(answer), good ? "go" : "warn");
  if (good) form.reset();
  await read();
}

for (const button of buttons) button.addEventListener("click", (event) => {
  // A mouse leaves the focus here, and then the space bar would press this button again instead of "next".
  if (event.detail) button.blur();
  if (button.dataset.open) open(button.dataset.open, at(button.dataset.open).hidden);
  else press(button.dataset.verb);
});
document.querySelector("[data-close]").addEventListener("click", () => open("transfer", false));
at("transfer").addEventListener("submit", (event) => {
  event.preventDefault();
  const [what, whom] = at("transfer-to").value.split(":");
  open("transfer", false);
  press("transfer", { [what]: what === "counter" ? Number(whom) : whom });
});
at("check-in").addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, "/api/v1/check-in", { code: at("code").value.trim(), site }, words.arrived);
});
at("desk-ticket").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target, phone = form.elements.phone.value.trim();
  const body = { service: form.elements.service.value, priority: form.elements.priority.checked, ...(phone ? { phone } : {}) };
  submit(form, `/api/v1/sites/${site}/tickets`, body, words.given);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === "Escape") { document.activeElement.blur(); open("transfer", false); return; }
  if (event.target.closest("input, select, textarea, a") || (event.key === " " && event.target.closest("button"))) return;
  const pressed = event.key.toLowerCase();
  if (pressed === "b") { event.preventDefault(); at("code").focus(); return; }
  const button = buttons.find((one) => pressed === "t" ? one.dataset.open : one.dataset.verb === KEYS[pressed]);
  if (!button) return;
  event.preventDefault();
  if (!button.disabled) button.click();
});
lock();
read();
watch(`/api/v1/sites/${site}/stream`, {
  queue: () => { if (!busy) read(); },
  link: (well) => say(at("lost"), well ? "" : words.offline, "warn"),
});
