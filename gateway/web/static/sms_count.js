// What a text message that is being written comes to: the server counts it, by the rules by which it is sent.
// Every [data-sms-count] is counted, also one that is drawn later; [data-sms=name] in its element of numbers says
// what the answer has under that name. The pages work without this script.
const PAUSE = 300, PATIENCE = 10000;
const timers = new WeakMap(), asked = new WeakMap();

const token = (box) => box.form?.querySelector("[name=csrf_token]")?.value ?? document.querySelector("meta[name=csrf-token]")?.content ?? "";

function soon(box, pause = PAUSE) {
  clearTimeout(timers.get(box));
  timers.set(box, setTimeout(count, pause, box));
}

async function count(box) {
  const { smsCount: url, smsLane: lane = "", smsKind: kind = "", smsAccented } = box.dataset;
  const body = JSON.stringify({ text: box.value, lane, kind, accented: smsAccented === "1" });
  if (asked.get(box) === body) return;
  asked.set(box, body);
  try {
    const answer = await fetch(url, {
      method: "POST", body, signal: AbortSignal.timeout(PATIENCE),
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token(box) },
    });
    // What was typed since then has its own answer
    if (asked.get(box) === body && answer.ok) tell(box, await answer.json());
  } catch {
    if (asked.get(box) === body) asked.delete(box); // the next letter asks again
  }
}

function tell(box, found) {
  const out = document.getElementById(box.dataset.smsOut);
  for (const place of out?.querySelectorAll("[data-sms]") ?? []) {
    const text = String(found[place.dataset.sms] ?? "");
    if (place.textContent !== text) place.textContent = text;
    place.hidden = !text;
  }
  for (const wrong of document.querySelectorAll(`[data-sms-out-of="${box.dataset.smsOut}"]`)) {
    wrong.textContent = found.fault ?? "";
    wrong.hidden = !found.fault;
    box.toggleAttribute("aria-invalid", Boolean(found.fault));
  }
}

document.addEventListener("input", (event) => {
  const box = event.target.closest?.("[data-sms-count]");
  if (box) soon(box);
});
document.addEventListener("reset", (event) => {
  for (const box of event.target.querySelectorAll("[data-sms-count]")) soon(box);
});
document.addEventListener("sms-count", (event) => soon(event.target, 0)); // a script that changed a text by itself
for (const box of document.querySelectorAll("[data-sms-count]")) if (box.value) soon(box, 0);
