// The sandbox's page: asks every two seconds what reached the phones and the printer.
import { fill, make, setting } from "./live.js";
import { complain, phones, post, spoken, start } from "./sandbox_chat.js";

const EVERY = 2000;
const { words, faults } = setting();
const at = (id) => document.getElementById(id);
let drawn = { tickets: "", faults: "" };
let timer = 0;

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
  off.addEventListener("click", () => turn({ ...one, on: false }));
  row.dataset.fault = one.fault;
  row.append(make("b", faults[one.fault] ?? one.fault), ` · ${whose(one)} `, off);
  return row;
}

function whose(one) {
  if (one.phone) return spoken(one.phone);
  if (one.user) return fill(words.user, { n: one.user });
  return one.template ? fill(words.template, { n: one.template }) : words.everybody;
}

function draw(part, list, place, build, empty) {
  const shape = JSON.stringify(list);
  if (shape === drawn[part]) return;
  drawn[part] = shape;
  const nothing = empty ? [make("p", empty, "quiet nothing")] : [];
  place.replaceChildren(...(list.length ? list.map(build) : nothing));
}

function show(state) {
  at("away").textContent = state.alive ? "" : words.away;
  at("away").hidden = state.alive;
  if (state.phones) phones(at("phones"), state.phones, words.no_phones);
  if (state.tickets) draw("tickets", state.tickets, at("tickets"), paper, words.no_tickets);
  if (state.faults) draw("faults", state.faults, at("faults"), fault, "");
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/sandbox/state.json", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    show(answer.ok ? await answer.json() : { alive: false });
  } catch {
    show({ alive: false });
  }
  clearTimeout(timer);
  timer = setTimeout(look, EVERY);
}

async function turn(asked) {
  const [well, told] = await post("/sandbox/faults", asked);
  complain(at("fault-wrong"), well ? "" : told);
  if (well) show({ alive: true, faults: told.faults });
}

at("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  turn({ phone: at("fault-phone").value.trim() || null, fault: at("fault").value, on: true });
});
start(look);
look();
