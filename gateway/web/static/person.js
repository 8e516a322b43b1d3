// A person's own page: asks again when the queue moved, with the ETag, so "nothing new" costs a line.
import { watch } from "./live.js";

const place = document.getElementById("place");
const SLOWEST = 60000, FIRST_PAUSE = 2000, ENDED = ["done", "cancelled"];
let tag = null, timer = 0, pause = FIRST_PAUSE, asking = false, again = false;

function draw(state) {
  place.dataset.state = state.state;
  for (const field of place.querySelectorAll("[data-field]")) field.textContent = state[field.dataset.field];
  place.querySelector(".live").hidden = state.ahead === null;
  place.querySelector("[data-field=eta]").parentElement.hidden = !state.eta;
  document.getElementById("giving-up").hidden = !state.may_cancel;
  only(state.state);
  if (state.state === "called" && navigator.userActivation?.hasBeenActive) navigator.vibrate?.([300, 150, 300]);
}

function only(state) {
  for (const part of document.querySelectorAll("[data-only]")) part.hidden = !part.dataset.only.split(" ").includes(state);
}

async function ask() {
  if (asking) { again = true; return; }
  asking = true;
  clearTimeout(timer);
  try {
    const answer = await fetch(place.dataset.url, {
      cache: "no-store", headers: tag ? { "If-None-Match": tag } : {}, signal: AbortSignal.timeout(8000),
    });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      draw(await answer.json());
    } else if (answer.status !== 304) throw new Error(answer.status);
    link(true);
    pause = FIRST_PAUSE;
  } catch {
    link(false);
    pause = Math.min(pause * 2, SLOWEST);
    timer = setTimeout(ask, pause);
  }
  asking = false;
  if (again) { again = false; ask(); }
}

function link(well) {
  document.getElementById("lost").hidden = well;
}

only(place.dataset.state);
watch(place.dataset.stream, {
  queue: () => { if (!ENDED.includes(place.dataset.state)) ask(); },
  link: (well) => { if (!well) link(false); },
});
// The expected time moves on although nobody is called.
setInterval(() => { if (!document.hidden && place.dataset.state === "waiting") ask(); }, SLOWEST);
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
