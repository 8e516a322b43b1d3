// The public display: draws each state that the stream sends, and keeps the last one when the link is lost.
import { hour, make, watch } from "./live.js";

const RECENT = 6, FRESH = 12000;
const at = (id) => document.getElementById(id);
const body = document.body;
// A display's own clock is often wrong; the server's is not.
const skew = Number(body.dataset.now) * 1000 - Date.now();
let seen = new Map(), first = true, lastGood = Date.now();

const desk = (label, language) => label.includes(" ") ? label : `${language === "en" ? "Counter" : "Quầy"} ${label}`;

function mark(element, call) {
  for (const name of ["number", "counter", "at", "calls", "state"]) element.dataset[name] = call[name];
}

// A call is new once for each (number, times called): two calls in one second both flash.
function isNew(call) {
  const known = seen.get(call.number) === call.calls;
  seen.set(call.number, call.calls);
  return !known && !first && call.state !== "waiting";
}

function flash(element) {
  element.classList.remove("fresh");
  void element.offsetWidth; // begins the animation again
  element.classList.add("fresh");
  clearTimeout(element.calming);
  element.calming = setTimeout(() => element.classList.remove("fresh"), FRESH);
}

function drawLast(call, fresh) {
  const last = at("last");
  if (!call) return;
  mark(last, call);
  at("last-number").textContent = call.number;
  const english = make("small", desk(call.counter, "en"));
  english.lang = "en";
  at("last-desk").replaceChildren(desk(call.counter, "vi") + " ", english);
  if (fresh) flash(last);
}

function drawCalled(calls, fresh) {
  at("called").replaceChildren(...calls.map((call) => {
    const row = make("li");
    mark(row, call);
    row.append(make("b", call.number, "digits"), make("span", desk(call.counter, "vi")), make("time", hour(call.at)));
    if (fresh.has(call.number)) row.classList.add("fresh");
    return row;
  }));
}

function drawDesks(desks) {
  at("desks").replaceChildren(...desks.map((one) => {
    const row = make("li");
    row.dataset.desk = one.label;
    row.dataset.state = one.state;
    if (one.number) row.dataset.number = one.number;
    const text = one.number || (one.state === "open" ? "–" : "Tạm nghỉ");
    row.append(make("span", desk(one.label, "vi")), make("b", text, "digits"));
    return row;
  }));
}

function draw(state) {
  lastGood = Date.now();
  const fresh = new Set(state.called.filter(isNew).map((call) => call.number));
  first = false;
  const [newest, ...earlier] = state.called;
  drawLast(newest, newest && fresh.has(newest.number));
  drawCalled(earlier.slice(0, RECENT), fresh);
  drawDesks(state.desks);
  at("next").replaceChildren(...state.next.map((number) => {
    const row = make("li", number, "digits");
    row.dataset.number = number;
    return row;
  }));
  at("waiting").textContent = state.waiting;
  at("waiting").dataset.waiting = state.waiting;
  body.dataset.version = state.version;
}

function link(well) {
  at("lost").hidden = well;
  if (well) return;
  for (const place of at("lost").querySelectorAll("b")) place.textContent = shown(lastGood, { hour: "2-digit", minute: "2-digit" });
}

const shown = (moment, shape) =>
  new Intl.DateTimeFormat("vi-VN", { ...shape, hour12: false, timeZone: document.body.dataset.zone }).format(moment + skew);

function tick() {
  at("clock").textContent = shown(Date.now(), { hour: "2-digit", minute: "2-digit" });
  at("date").textContent = shown(Date.now(), { weekday: "long", day: "2-digit", month: "2-digit", year: "numeric" });
}

// What the server drew counts as seen: a display that is switched on does not flash old calls.
for (const drawn of document.querySelectorAll("[data-calls]")) seen.set(drawn.dataset.number, Number(drawn.dataset.calls));
tick();
setInterval(tick, 1000);
watch(body.dataset.stream, { queue: draw, link });
