// The kiosk's page. One press has one id, so a tap that is repeated (by a thumb or by a lost answer)
// is one ticket. Everything shown comes from GET /status and POST /press of this machine.
"use strict";
(() => {
  const POLL = 2000, SLOWEST_POLL = 10000, IDLE = 30000, PRESS_TRIES = 3, PRESS_WAIT = 5000;
  const words = JSON.parse(document.getElementById("words").textContent);
  const at = (id) => document.getElementById(id);
  const screens = ["start", "asking", "given", "shut"];
  let language = "vi", status = null, priority = false, given = null;
  let busy = false, missed = 0, quietTimer = 0, idleTimer = 0, failureTimer = 0;

  const word = (name) => words[name][language];
  const people = (count) => count === 0 ? word("nobody") : word("people").replace("{count}", count);

  function show(name) {
    for (const screen of screens) at(screen).hidden = screen !== name;
  }

  function make(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function say() {
    document.documentElement.lang = language;
    for (const place of document.querySelectorAll("[data-word]")) place.textContent = word(place.dataset.word);
    for (const place of document.querySelectorAll("[data-vi]")) place.textContent = place.dataset[language];
    for (const button of document.querySelectorAll("[data-language]"))
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    draw();
  }

  function draw() {
    drawClock();
    drawPriority();
    if (status) drawStatus();
    if (given) drawGiven();
    else if (!at("asking").hidden && canServe()) return;
    else if (canServe()) show("start");
    else drawShut();
  }

  const canServe = () => missed < 2 && status !== null && status.open && status.services.length > 0;

  function drawClock() {
    const now = status ? Date.parse(status.clock.at) + performance.now() - status.heard : Date.now();
    const told = status && !status.clock.trusted && !status.online;
    // A clock nobody vouches for is not shown to people who wait by it.
    at("clock").textContent = told ? "" : station(now, { hour: "2-digit", minute: "2-digit", hour12: false });
    at("date").textContent = told ? "" : station(now, { weekday: "long", day: "2-digit", month: "2-digit", year: "numeric" });
  }

  function station(now, shape) {
    const locale = language === "vi" ? "vi-VN" : "en-GB";
    return new Intl.DateTimeFormat(locale, { ...shape, timeZone: document.body.dataset.zone }).format(now);
  }

  function drawStatus() {
    at("place").textContent = status.site ? [status.site.name, status.site.place].filter((part, i, all) => part && all.indexOf(part) === i).join(" · ") : "";
    at("waiting").hidden = status.waiting === null;
    if (status.waiting !== null) at("waiting-count").textContent = word("people").replace("{count}", status.waiting);
    drawServices();
    at("signs").replaceChildren(...status.signs.map((sign) => make("p", sign.text[language], "sign " + sign.level)));
    at("machine").textContent = status.kiosk + " · " + status.series;
    at("link").textContent = status.unsent && !status.online ? word("unsent").replace("{count}", status.unsent) : "";
  }

  function drawServices() {
    const place = at("services");
    const shape = JSON.stringify(status.services.map((service) => service.code));
    // The buttons stay the same elements from poll to poll: a thumb that is down must find its button.
    if (place.dataset.shape !== shape) {
      place.replaceChildren(...status.services.map(makeService));
      place.dataset.shape = shape;
      place.classList.toggle("one", status.services.length <= 3);
    }
    status.services.forEach((service, i) => fillService(place.children[i], service));
  }

  function makeService(service) {
    const button = make("button", undefined, "service");
    button.type = "button";
    button.dataset.service = service.code;
    const name = make("span", undefined, "name");
    name.append(make("span"), make("small"));
    button.append(name, make("span", undefined, "load"));
    button.addEventListener("click", () => press(service.code));
    return button;
  }

  function fillService(button, service) {
    const other = language === "vi" ? "en" : "vi";
    const [first, second] = button.firstChild.children;
    first.textContent = service.name[language];
    second.textContent = service.name[other] === service.name[language] ? "" : service.name[other];
    second.lang = other;
    const load = [];
    // How many are before a person with priority is not what is before the others.
    if (service.ahead !== null && !priority) {
      load.push(make("span", service.ahead ? word("ahead") : ""), make("b", people(service.ahead)));
      if (service.eta) load.push(make("em", word("expected") + " " + service.eta));
    }
    button.lastChild.replaceChildren(...load);
    button.disabled = busy;
  }

  function drawPriority() {
    at("priority").setAttribute("aria-pressed", String(priority));
    at("priority-label").textContent = word(priority ? "priority_on" : "priority_who");
    at("priority-more").textContent = priority ? word("priority_off") : "";
  }

  function drawShut() {
    show("shut");
    const waiting = status === null || missed >= 2;
    const title = waiting ? "starting" : status.closed ? "closed" : "no_state";
    at("shut-title").textContent = word(title);
    at("shut-text").textContent = !waiting && status.closed ? status.closed[language] : "";
  }

  function drawGiven() {
    show("given");
    at("number").textContent = given.number;
    const service = status && status.services.find((one) => one.code === given.service);
    at("given-service").textContent = service ? service.name[language] : "";
    at("given-priority").hidden = !given.priority;
    const facts = [];
    if (given.ahead !== null && given.ahead !== undefined) facts.push(["ahead", people(given.ahead)]);
    if (given.eta) facts.push(["expected", given.eta]);
    at("facts").replaceChildren(...facts.map(([name, text]) => {
      const pair = make("div");
      pair.append(make("dt", word(name)), make("dd", text));
      return pair;
    }));
    drawPaper();
  }

  function drawPaper() {
    at("paper").className = "paper " + (given.paper ? "plain" : "later");
    at("qr").hidden = given.paper;
    if (!given.paper) at("qr").src = given.qr;
    const text = at("paper-text");
    if (given.paper) text.replaceChildren(word("take_paper"), make("br"), word("listen"));
    else text.replaceChildren(make("b", given.reason[language]), word("paper_later"));
  }

  async function press(service) {
    if (busy || given) return;
    busy = true;
    draw();
    const order = JSON.stringify({ service, priority, language, press_id: pressId() });
    try {
      const answer = await ask(order);
      if (answer.ok) keep(answer.body);
      else fail(answer.body.text ? answer.body.text[language] : word("failed"));
    } catch {
      fail(word("failed"));
    }
    busy = false;
    draw();
  }

  async function ask(body) {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await fetch("/press", {
          method: "POST", body, signal: AbortSignal.timeout(PRESS_WAIT),
          headers: { "Content-Type": "application/json", "X-Requested-With": "kiosk" },
        });
        return { ok: answer.ok, body: await answer.json() };
      } catch (fault) {
        if (attempt === PRESS_TRIES) throw fault;
      }
    }
  }

  function pressId() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function keep(ticket) {
    given = ticket;
    restQuiet();
  }

  function restQuiet() {
    clearTimeout(quietTimer);
    quietTimer = setTimeout(home, given.quiet * 1000);
    const bar = at("quiet");
    bar.classList.remove("running");
    void bar.offsetWidth; // begins the animation again
    bar.style.animationDuration = given.quiet + "s";
    bar.classList.add("running");
  }

  function home() {
    clearTimeout(quietTimer);
    given = null;
    priority = false;
    language = "vi";
    show("start");
    say();
  }

  function fail(text) {
    at("failure").textContent = text;
    at("failure").hidden = false;
    clearTimeout(failureTimer);
    failureTimer = setTimeout(() => { at("failure").hidden = true; }, 6000);
  }

  function touched() {
    clearTimeout(idleTimer);
    idleTimer = setTimeout(() => { if (!given) home(); }, IDLE);
    if (given) restQuiet();
  }

  async function poll() {
    try {
      const answer = await fetch("/status", { signal: AbortSignal.timeout(4000), cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      status = { ...await answer.json(), heard: performance.now() };
      missed = 0;
    } catch {
      missed += 1;
    }
    draw();
    setTimeout(poll, Math.min(POLL * 2 ** Math.max(0, missed - 2), SLOWEST_POLL));
  }

  at("priority").addEventListener("click", () => {
    if (priority) { priority = false; draw(); } else show("asking");
  });
  at("priority-yes").addEventListener("click", () => { priority = true; show("start"); draw(); });
  at("priority-no").addEventListener("click", () => { show("start"); draw(); });
  at("done").addEventListener("click", home);
  for (const button of document.querySelectorAll("[data-language]"))
    button.addEventListener("click", () => { language = button.dataset.language; say(); });
  document.addEventListener("pointerdown", touched);
  document.addEventListener("contextmenu", (event) => event.preventDefault());
  // A box of buttons that calls itself a keyboard: key 1 is the first service.
  document.addEventListener("keydown", (event) => {
    const service = /^[1-6]$/.test(event.key) && !event.repeat && canServe() && status.services[event.key - 1];
    if (service) press(service.code);
  });
  setInterval(drawClock, 5000);
  say();
  poll();
})();
