// A site's queue as it changes. `queue` is called with each newer state, `link` with true or false.
// The browser's own EventSource gives up on some errors and cannot see a dead link, so both are looked after here.
const FIRST_PAUSE = 1000, LONGEST_PAUSE = 15000, PROBE = 20000, PATIENCE = 5000;

export function watch(url, { queue, link }) {
  let source = null, pause = FIRST_PAUSE, timer = 0, heard = performance.now();

  function open() {
    source = new EventSource(url);
    source.onopen = well;
    source.addEventListener("queue", (event) => {
      well();
      queue(JSON.parse(event.data));
    });
    source.onerror = again;
  }

  function well() {
    heard = performance.now();
    pause = FIRST_PAUSE;
    link(true);
  }

  function again() {
    link(false);
    source?.close();
    clearTimeout(timer);
    // Many screens lose the link together; they must not all come back in the same instant.
    timer = setTimeout(open, pause * (0.75 + Math.random() / 2));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }

  async function probe() {
    if (source.readyState !== EventSource.OPEN || performance.now() - heard < PROBE) return;
    try {
      await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      heard = performance.now();
    } catch {
      again();
    }
  }

  setInterval(probe, PROBE / 2);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && source.readyState === EventSource.CLOSED) { clearTimeout(timer); open(); }
  });
  open();
}

export const make = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

export const fill = (text, given) => text.replace(/\{(\w+)\}/g, (whole, name) => given[name] ?? whole);

// "2026-11-24T10:32:00+07:00" → "10:32": the server writes the station's own hour.
export const hour = (text) => (text || "").slice(11, 16);

export const setting = () => JSON.parse(document.getElementById("setting").textContent);
