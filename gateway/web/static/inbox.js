// The inbox: drawn anew as it changes, answers sent once however often they are pressed, windows counted down.
// The pages work without this script; what it draws it takes from the same pages.
import { fill, make, setting } from "./live.js";

const TRIES = 4, PATIENCE = 30000, FIRST_PAUSE = 500, BETWEEN = 400, TICK = 10000;
const FIRST_WAIT = 1000, LONGEST_WAIT = 15000, PROBE = 20000;
const LARGEST = 5 * 1024 * 1024, LARGEST_PICTURE = 1024 * 1024;
const MINUTE = 60, HOUR = 3600, DAY = 86400;
const { now, language, words, stream } = setting();
const ahead = now * 1000 - Date.now(); // the station's clock, not this machine's
const at = (id) => document.getElementById(id);
const csrf = document.querySelector("meta[name=csrf-token]").content;
const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase();
const rest = (pause) => new Promise((done) => setTimeout(done, pause));
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
const half = (text) => { const parts = (text || "").split(" / "); return language === "en" ? parts.at(-1) : parts[0]; };
document.documentElement.classList.add("js");

function say(place, text, kind = "") {
  if (!place) return;
  place.textContent = text;
  place.className = "word " + kind;
  place.hidden = !text;
}

// Countdowns

function left(seconds) {
  const whole = Math.max(MINUTE, seconds);
  const given = { days: Math.floor(whole / DAY), hours: Math.floor((whole % DAY) / HOUR), minutes: Math.floor((whole % HOUR) / MINUTE) };
  return fill(given.days ? words.days : given.hours ? words.hours : words.minutes, given);
}

function tick() {
  const moment = Math.floor((Date.now() + ahead) / 1000);
  for (const mark of document.querySelectorAll("[data-window]")) {
    const free = Number(mark.dataset.free), until = Number(mark.dataset.until);
    const state = moment < free ? "free" : moment < until ? "paid" : "shut";
    const end = state === "free" ? free : until;
    const text = fill(words[state], { time: left(end - moment) });
    mark.className = `window ${state}${state !== "shut" && end - moment < 2 * HOUR ? " soon" : ""}`;
    if (mark.textContent !== text) mark.textContent = text;
    // What may no longer be answered is drawn without its answer box
    if (state === "shut" && mark.closest("#talk-head") && at("reply")?.dataset.answerable === "yes") refresh();
  }
}

// Drawing anew

let drawing = false, drawAgain = false, shown = 0;

async function refresh() {
  if (drawing) { drawAgain = true; return; }
  drawing = true;
  try {
    await draw();
  } catch { /* no answer: the last good state stays; the stream says when it is back */ }
  drawing = false;
  if (drawAgain) { drawAgain = false; setTimeout(refresh, BETWEEN); }
}

async function draw() {
  const talk = at("talk"), found = document.querySelector("[data-found]");
  const url = talk ? talk.dataset.url : found ? null : location.href;
  if (url === null) return;
  const answer = await fetch(url, { headers: { "X-Live": "1" }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.redirected && new URL(answer.url).pathname.startsWith("/staff/login")) { say(at("lost"), words.signed_out, "warn"); return; }
  if (answer.status === 404 && talk) { location.assign("/admin/inbox"); return; }
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  // A list on another page than the first, or one that was searched for, stays as it is
  if (!found) for (const name of ["threads", "sorts"]) swap(page, name);
  if (talk) { drawTalk(page); }
  tick();
}

function swap(page, name) {
  const old = at(name), fresh = page.getElementById(name);
  if (!old || !fresh || old.isEqualNode(fresh)) return;
  const top = old.scrollTop, focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.replaceWith(fresh);
  fresh.scrollTop = top;
  if (focused) [...fresh.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
}

function drawTalk(page) {
  if (!at("talk-head").contains(document.activeElement)) swap(page, "talk-head");
  if (!at("side").contains(document.activeElement) && !at("side").querySelector("a[href^='tel:']")) swapSide(page);
  merge(page);
  const fresh = page.getElementById("reply");
  if (fresh && fresh.dataset.answerable !== at("reply").dataset.answerable) {
    const draft = at("text")?.value ?? "";
    at("reply").replaceWith(fresh);
    if (at("text")) at("text").value = draft;
    wire();
  }
}

function swapSide(page) {
  const open = at("side-box").open;
  swap(page, "side");
  at("side-box").open = open;
}

// Messages by their number: those that are known are drawn anew where they changed, and the others come in order.
function merge(page) {
  const list = at("messages"), down = atEnd();
  let grown = false;
  for (const fresh of page.querySelectorAll("#messages > li")) {
    const old = at(fresh.id);
    if (!old) { list.append(fresh); grown = true; } else if (!old.isEqualNode(fresh)) old.replaceWith(fresh);
  }
  if (!grown) return;
  const place = (one) => [Number(one.dataset.at), Number(one.dataset.message)];
  const ordered = [...list.children].sort((a, b) => { const [x, y] = [place(a), place(b)]; return x[0] - y[0] || x[1] - y[1]; });
  list.append(...ordered);
  if (down) toEnd();
}

function atEnd() {
  const box = at("scroller");
  if (getComputedStyle(box).overflowY !== "visible") return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  return at("messages").getBoundingClientRect().bottom < innerHeight;
}

function toEnd() {
  const box = at("scroller");
  box.scrollTop = box.scrollHeight;
  const end = at("messages").lastElementChild;
  if (!end || getComputedStyle(box).overflowY !== "visible") return;
  end.style.scrollMarginBottom = `${at("reply").offsetHeight + 8}px`; // on a phone the page itself scrolls
  end.scrollIntoView({ block: "end" });
}

async function older(event) {
  event.preventDefault();
  const link = at("older"), box = at("scroller"), first = at("messages").firstElementChild;
  const answer = await fetch(link.href, { headers: { "X-Live": "1" }, signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const before = box.scrollHeight - box.scrollTop;
  for (const one of [...page.querySelectorAll("#messages > li")]) if (!at(one.id)) first.before(one);
  const further = page.getElementById("older");
  if (further) link.href = further.getAttribute("href"); else link.parentElement.remove();
  box.scrollTop = box.scrollHeight - before;
}

// Sending

const post = (url, body, pressed) => fetch(url, {
  method: "POST", body, signal: AbortSignal.timeout(PATIENCE),
  headers: { Accept: "application/json", "X-CSRFToken": csrf, ...(pressed ? { "Idempotency-Key": pressed } : {}) },
});

async function why(answer) {
  if (answer.status === 401) return words.signed_out;
  const body = await answer.json().catch(() => ({}));
  return half(body.errors?.[0]?.detail || body.detail) || String(answer.status);
}

let pressed = null; // the key of what is being said; a new one only when it arrived or was changed

async function send(form, url) {
  const button = form.querySelector("#send, .note-button"), word = at("answered");
  if (form.dataset.busy || (!at("text").value.trim() && !at("file")?.files.length)) return;
  form.dataset.busy = "yes";
  form.querySelectorAll("button").forEach((one) => { one.disabled = true; });
  const body = new FormData(form);
  body.delete("key");
  pressed = pressed?.url === url ? pressed : { url, key: key() };
  const outcome = await repeated(url, body, word);
  delete form.dataset.busy;
  form.querySelectorAll("button").forEach((one) => { one.disabled = false; });
  if (outcome === "") { cleared(form); await refresh(); toEnd(); } else say(word, outcome, "warn");
  (at("text") || button)?.focus();
}

async function repeated(url, body, word) {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt) { say(word, words.retrying, "warn"); await rest(FIRST_PAUSE * 2 ** attempt); }
    try {
      const answer = await post(url, body, pressed.key);
      if (answer.status === 502 || answer.status === 504) continue;
      return answer.ok ? "" : await why(answer);
    } catch { /* no answer: the same press again */ }
  }
  return words.unsure;
}

function cleared(form) {
  pressed = null;
  say(at("answered"), "");
  form.reset();
  accents();
  unquote();
  named();
  count();
}

function count() {
  const text = at("text"), counter = at("counter");
  if (!text || !counter) return;
  const length = [...text.value].length;
  counter.textContent = `${length} / ${text.maxLength}`;
  counter.classList.toggle("near", length > text.maxLength - 100);
}

// How many parts a text message takes is counted by the page's other script
function accents() {
  const text = at("text"), box = at("accented");
  if (box) text.dataset.smsAccented = box.checked ? "1" : "";
  if (text?.dataset.smsCount) text.dispatchEvent(new CustomEvent("sms-count", { bubbles: true }));
}

function named() {
  const file = at("file"), name = at("file-name");
  if (!file) return;
  const chosen = file.files[0];
  if (chosen && chosen.size > (chosen.type.startsWith("image/") ? LARGEST_PICTURE : LARGEST)) {
    file.value = "";
    say(at("answered"), words.too_large, "warn");
    return named();
  }
  name.textContent = chosen ? chosen.name : name.dataset.none;
  file.parentElement.classList.toggle("full", Boolean(chosen));
}

function quote(event, link) {
  event.preventDefault();
  at("quote").value = link.dataset.quote;
  const bubble = link.closest("li");
  at("quoted-text").textContent = (bubble.querySelector(".said-text") || bubble.querySelector(".piece, .picture"))?.textContent.trim().slice(0, 120) || "…";
  at("quoting").hidden = false;
  pressed = null;
  at("text").focus();
}

function unquote() {
  if (!at("quote")) return;
  at("quote").value = "";
  at("quoting").hidden = true;
}

// Canned answers: by button, or by a "/" at the beginning

const samples = () => [...document.querySelectorAll("[data-canned]")];

function insert(text) {
  const field = at("text");
  field.value = field.value.startsWith("/") || !field.value ? text : `${field.value.trimEnd()}\n${text}`;
  field.value = [...field.value].slice(0, field.maxLength).join("");
  at("canned").open = false;
  menu();
  changed();
  accents();
  field.focus();
}

function menu() {
  const field = at("text"), list = at("menu");
  if (!list) return;
  const asked = field.value.match(/^\/([^\n]{0,40})$/);
  const fit = asked ? samples().filter((one) => folded(one.dataset.title + " " + one.dataset.canned).includes(folded(asked[1].trim()))) : [];
  list.replaceChildren(...fit.slice(0, 8).map((one, place) => {
    const row = make("li", one.dataset.title);
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(place === 0));
    row.append(make("small", one.dataset.canned));
    row.addEventListener("mousedown", (event) => { event.preventDefault(); insert(one.dataset.canned); });
    row.dataset.text = one.dataset.canned;
    return row;
  }));
  list.hidden = !fit.length;
}

function steer(event) {
  const list = at("menu"), rows = [...(list?.children ?? [])];
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); at("answer")?.requestSubmit(at("send")); return; }
  if (!list || list.hidden) return;
  const place = rows.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (event.key === "Escape") list.hidden = true;
  else if (event.key === "Enter") insert(rows[place].dataset.text);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = (place + (event.key === "ArrowDown" ? 1 : rows.length - 1)) % rows.length;
    rows.forEach((one, n) => one.setAttribute("aria-selected", String(n === next)));
    rows[next].scrollIntoView({ block: "nearest" });
  } else return;
  event.preventDefault();
}

function changed() {
  pressed = null;
  count();
}

function wire() {
  const form = at("answer") || at("note-only");
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, event.submitter?.getAttribute("formaction") || form.getAttribute("action"));
  });
  at("text").addEventListener("input", () => { changed(); menu(); });
  at("text").addEventListener("keydown", steer);
  at("accented")?.addEventListener("change", () => { pressed = null; accents(); });
  at("file")?.addEventListener("change", () => { pressed = null; named(); });
  document.querySelector("[data-unquote]")?.addEventListener("click", (event) => { event.preventDefault(); unquote(); });
  count();
  named();
}

// Everything else that is pressed

async function act(form, button) {
  const body = new FormData(form, button);
  form.querySelectorAll("button").forEach((one) => { one.disabled = true; });
  try {
    const answer = await post(form.action, body);
    if (!answer.ok) say(at("lost"), await why(answer), "warn");
  } catch {
    say(at("lost"), words.offline, "warn");
  }
  if (document.activeElement !== document.body) document.activeElement.blur();
  form.querySelectorAll("button").forEach((one) => { one.disabled = false; });
  await refresh();
}

async function showPhone(form) {
  const answer = await post(form.action, new FormData(form));
  if (!answer.ok) { say(at("lost"), await why(answer), "warn"); return; }
  const { phone, shown: text } = await answer.json();
  const call = make("a", text), sms = make("a", "SMS");
  call.href = `tel:${phone}`;
  sms.href = `sms:${phone}`;
  at("phone").replaceChildren(call, " · ", sms);
  form.remove();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-act]")) { event.preventDefault(); act(form, event.submitter); }
  else if (form.matches("[data-phone]")) { event.preventDefault(); showPhone(form).catch(() => say(at("lost"), words.offline, "warn")); }
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-changing]");
  if (form) form.requestSubmit();
});
document.addEventListener("click", (event) => {
  const sample = event.target.closest("[data-canned]"), link = event.target.closest("[data-quote]");
  if (sample) insert(sample.dataset.canned);
  else if (link) quote(event, link);
  else if (event.target.closest("#older")) older(event).catch(() => {});
});

// The stream. EventSource gives up on some errors and cannot see a dead link: both are looked after here.

let source = null, wait = FIRST_WAIT, timer = 0, heard = performance.now(), last = "";

function open() {
  source = new EventSource(last ? `${stream}?last=${last}` : stream);
  source.onopen = () => { well(); refresh(); };
  source.addEventListener("inbox", (event) => {
    well();
    last = event.lastEventId;
    shown += 1;
    if (JSON.parse(event.data).changed.length || shown > 1) refresh();
  });
  source.onerror = again;
}

function well() {
  heard = performance.now();
  wait = FIRST_WAIT;
  say(at("lost"), "");
}

function again() {
  say(at("lost"), words.offline, "warn");
  source?.close();
  clearTimeout(timer);
  timer = setTimeout(open, wait * (0.75 + Math.random() / 2)); // many pages lose the link together
  wait = Math.min(wait * 2, LONGEST_WAIT);
}

async function probe() {
  if (source.readyState !== EventSource.OPEN || performance.now() - heard < PROBE) return;
  try {
    await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    heard = performance.now();
  } catch {
    again();
  }
}

wire();
tick();
if (at("talk")) {
  // Pictures come later than their messages and push the last words out of sight
  let pinned = true;
  toEnd();
  at("scroller").addEventListener("scroll", () => { pinned = atEnd(); });
  at("scroller").addEventListener("load", () => { if (pinned) toEnd(); }, true);
}
setInterval(tick, TICK);
setInterval(probe, PROBE / 2);
addEventListener("pagehide", () => source?.close());
open();
