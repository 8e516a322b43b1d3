// The sandbox's page: asks every two seconds what reached the phones and the printer.
import { fill, hour, make, setting } from "./live.js";

const EVERY = 2000;
const { words, faults } = setting();
const csrf = document.querySelector("meta[name=csrf-token]").content;
const at = (id) => document.getElementById(id);
let drawn = { phones: "", tickets: "", faults: "" };

function linked(text) {
  // Addresses in a message can be followed, as on a phone.
  return text.split(/(https?:\/\/\S+)/).map((part, place) => {
    if (place % 2 === 0) return part;
    const link = make("a", part);
    link.href = part;
    link.target = "_blank";
    link.rel = "noopener";
    return link;
  });
}

// "+84905123456" → "0905 123 456", as people write it.
const spoken = (number) => number.replace(/^\+84/, "0").replace(/^(\d{4})(\d{3})(\d{3})$/, "$1 $2 $3");

function phone(one) {
  const card = make("article", undefined, "handset");
  card.dataset.phone = one.phone;
  const messages = make("ol", undefined, "messages");
  messages.append(...one.messages.map(bubble));
  card.append(make("h3", spoken(one.phone), "digits"), messages);
  return card;
}

function bubble(message) {
  const row = make("li", undefined, "bubble " + message.via);
  row.dataset.via = message.via;
  const text = make("p");
  text.append(...linked(message.text));
  const about = [message.via === "zalo" ? "Zalo" : "SMS", message.from, hour(message.at)];
  if (message.parts > 1) about.push(fill(words.parts, { n: message.parts }));
  row.append(text, make("small", about.filter(Boolean).join(" · ")));
  return row;
}

function paper(ticket) {
  const link = make("a", undefined, "paper");
  const picture = make("img");
  link.href = picture.src = `/sandbox/tickets/${ticket.id}.png`;
  link.target = "_blank";
  link.rel = "noopener";
  picture.alt = fill(words.ticket, { n: ticket.id });
  link.dataset.ticket = ticket.id;
  link.append(picture);
  return link;
}

function fault(one) {
  const row = make("li");
  const off = make("button", words.off, "button plain");
  off.type = "button";
  off.addEventListener("click", () => turn(one.phone, one.fault, false));
  row.dataset.fault = one.fault;
  row.append(make("b", faults[one.fault] ?? one.fault), ` · ${one.phone ? spoken(one.phone) : words.everybody} `, off);
  return row;
}

function draw(part, list, place, build, empty) {
  const shape = JSON.stringify(list);
  if (shape === drawn[part]) return;
  drawn[part] = shape;
  const nothing = empty ? [make("p", empty, "quiet nothing")] : [];
  place.replaceChildren(...(list.length ? list.map(build) : nothing));
  for (const messages of place.querySelectorAll(".messages")) messages.scrollTop = messages.scrollHeight;
}

// The phone that got the newest message comes first.
const newestFirst = (phones) => phones.filter((one) => one.messages.length)
  .sort((one, other) => other.messages.at(-1).at.localeCompare(one.messages.at(-1).at));

function show(state) {
  at("away").textContent = state.alive ? "" : words.away;
  at("away").hidden = state.alive;
  if (state.phones) draw("phones", newestFirst(state.phones), at("phones"), phone, words.no_phones);
  if (state.tickets) draw("tickets", state.tickets, at("tickets"), paper, words.no_tickets);
  if (state.faults) draw("faults", state.faults, at("faults"), fault, "");
}

async function look() {
  try {
    const answer = await fetch("/sandbox/state.json", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    show(answer.ok ? await answer.json() : { alive: false });
  } catch {
    show({ alive: false });
  }
  setTimeout(look, EVERY);
}

async function turn(number, name, on) {
  let wrong = words.away;
  try {
    const answer = await fetch("/sandbox/faults", {
      method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
      body: JSON.stringify({ phone: number, fault: name, on }), signal: AbortSignal.timeout(8000),
    });
    const told = await answer.json();
    wrong = answer.ok ? "" : told.detail;
    if (answer.ok) show({ alive: true, faults: told.faults });
  } catch { /* said below */ }
  at("fault-wrong").textContent = wrong;
  at("fault-wrong").hidden = !wrong;
}

at("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  turn(at("fault-phone").value.trim() || null, at("fault").value, true);
});
look();
