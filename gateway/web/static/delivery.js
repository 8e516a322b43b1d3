// The officer's delivery pages: progress without reloading, choosing many, asking before anything is done.
// Everything works without this script too; it only saves steps.
import { fill, make } from "./live.js";

const FAST = 2000, SLOW = 30000, PATIENCE = 10000;
const at = (id) => document.getElementById(id);
const batch = at("batch"), sure = at("sure");

function draw(live) {
  for (const part of live.parts) {
    const bar = batch.querySelector(`[data-part=${part.name}]`), count = batch.querySelector(`[data-count=${part.name}]`);
    bar.setAttribute("x", part.start);
    bar.setAttribute("width", part.width);
    count.textContent = part.count;
    count.parentElement.classList.toggle("none", !part.count);
  }
  at("headline").textContent = live.headline;
  // Spoken aloud when it changes, so only then
  if (at("expected").textContent !== live.expected) at("expected").textContent = live.expected;
  at("aside").textContent = live.aside;
  at("at").textContent = live.at;
  batch.dataset.finished = live.finished ? "yes" : "no";
}

const chosen = () => document.querySelectorAll("#needing input[name=notice]:checked, #held input[name=notice]:checked").length;

// A list that somebody is choosing from stays as it is; else it is drawn anew.
async function refresh(needing) {
  if (String(needing) === batch.dataset.needing) return;
  if (chosen() || sure.open || at("needing").contains(document.activeElement)) {
    at("changed").hidden = false;
    return;
  }
  const answer = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  at("needing").replaceWith(page.getElementById("needing"));
  batch.dataset.needing = needing;
  document.querySelectorAll("#needing [data-people]").forEach(counting);
}

async function look() {
  let live = null;
  try {
    const answer = await fetch(batch.dataset.url, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });
    if (answer.ok) live = await answer.json();
  } catch { /* no answer: the last good state stays */ }
  at("stale").hidden = live !== null;
  if (live) {
    draw(live);
    await refresh(live.needing).catch(() => {});
  }
  setTimeout(look, live && live.finished ? SLOW : FAST);
}

// How many are chosen; buttons for the chosen ones are off while there are none.
function counting(form) {
  const all = form.querySelector("[data-all]"), boxes = [...form.querySelectorAll("input[name=notice]")];
  const word = form.querySelector("[data-chosen-word]");
  if (!word) return;
  const plain = word.textContent;
  function count() {
    const many = boxes.filter((box) => box.checked).length;
    word.textContent = many ? fill(word.dataset.chosenWord, { count: many }) : plain;
    form.querySelectorAll("[data-bulk]").forEach((button) => { button.disabled = !many; });
    all.checked = many > 0 && many === boxes.length;
    all.indeterminate = many > 0 && many < boxes.length;
  }
  all.addEventListener("change", () => { boxes.forEach((box) => { box.checked = all.checked; }); count(); });
  boxes.forEach((box) => box.addEventListener("change", count));
  count();
}

// The server's own question, in a dialog instead of on a page.
async function ask(form, button) {
  const body = new FormData(form, button);
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body), signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(answer.status);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const question = page.getElementById("question");
  if (!question) throw new Error("no question");
  sure.replaceChildren(question);
  question.querySelector("[data-close]").addEventListener("click", (event) => { event.preventDefault(); sure.close(); });
  sure.showModal();
  (question.querySelector("#yes") || question.querySelector("[data-close]")).focus();
}

async function show(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const answer = await fetch(button.formAction, {
    method: "POST", body, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE),
  });
  if (!answer.ok) throw new Error(answer.status);
  const { phone, shown } = await answer.json();
  const link = make("a", shown, "digits");
  link.href = `tel:${phone}`;
  button.parentElement.querySelector("[data-phone]").replaceWith(link);
  button.remove();
  link.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (form.matches("[data-once]")) {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes"; // a double click sends once; the server would not mind twice
    return;
  }
  const way = button?.matches("[data-show]") ? show : button?.matches("[data-confirm]") && sure ? ask : null;
  if (!way || form.dataset.plain) return;
  event.preventDefault();
  way(form, button).catch(() => { // as without a script
    form.dataset.plain = "yes";
    form.requestSubmit(button);
  });
});

addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => { delete form.dataset.sent; }));
document.querySelectorAll("[data-people]").forEach(counting);
document.querySelectorAll("[data-filters] select, [data-filters] input[type=date], [data-filters] input[type=month]").forEach((field) =>
  field.addEventListener("change", () => { if (field.value || field.tagName === "SELECT") field.form.requestSubmit(); }));
document.querySelector("[data-print]")?.addEventListener("click", () => print());
if (batch) setTimeout(look, batch.dataset.finished === "yes" ? SLOW : FAST);
