// The phones of the sandbox's page: each shows its chat with the page and its SMS, and can write, tap and share.
import { fill, hour, make, setting } from "./live.js";

const { words } = setting();
const csrf = document.querySelector("meta[name=csrf-token]").content;
const cards = new Map();
let changed = () => {};

// "+84905123456" → "0905 123 456", as people write it.
export const spoken = (number) => number.replace(/^\+84/, "0").replace(/^(\d{4})(\d{3})(\d{3})$/, "$1 $2 $3");

export async function post(path, body) {
  // → [true, what was answered] or [false, why not]
  try {
    const answer = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
      body: JSON.stringify(body), signal: AbortSignal.timeout(8000),
    });
    const told = await answer.json();
    return [answer.ok, answer.ok ? told : told.detail || words.away];
  } catch {
    return [false, words.away];
  }
}

export const complain = (place, wrong) => {
  place.textContent = wrong;
  place.hidden = !wrong;
};

function away(url, text, className) {
  const link = make("a", text, className);
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener";
  return link;
}

// Addresses in a message can be followed, as on a phone.
const linked = (text) => text.split(/(https?:\/\/\S+)/).map((part, place) => (place % 2 ? away(part, part) : part));

// Pictures lie with the stand-in Zalo; this page's own address passes them on.
const own = (address) => (address.startsWith("/") ? `/sandbox${address}` : address);

class Handset {
  constructor(number) {
    this.number = number;
    this.drawn = "";
    this.scrolled = null; // where somebody has scrolled to; null is the end, which is kept in sight
    this.card = document.getElementById("handset").content.firstElementChild.cloneNode(true);
    this.card.dataset.phone = number;
    this.part("number").textContent = spoken(number);
    this.part("share").elements.phone.value = spoken(number);
    this.part("messages").addEventListener("scroll", (event) => {
      const { scrollHeight, scrollTop, clientHeight } = event.target;
      if (clientHeight) this.scrolled = scrollHeight - scrollTop - clientHeight < 40 ? null : scrollTop;
    });
    for (const button of this.card.querySelectorAll("[data-act]")) {
      button.addEventListener("click", () => this.press(button.dataset.act));
    }
    this.part("compose").addEventListener("submit", (event) => this.send(event));
    this.part("share").addEventListener("submit", (event) => this.share(event));
    this.part("unshare").addEventListener("click", () => { this.part("share").hidden = true; });
  }

  part(name) { return this.card.querySelector(`[data-part=${name}]`); }

  async act(name, body = {}) {
    const [well, told] = await post(`/sandbox/users/${encodeURIComponent(this.number)}/${name}`, body);
    complain(this.part("wrong"), well ? "" : told);
    if (well) changed();
    return well;
  }

  press(name) { return name === "unblock" ? this.act("block", { on: false }) : this.act(name); }

  async send(event) {
    event.preventDefault();
    const input = this.part("compose").elements.text, text = input.value.trim();
    if (!text) return;
    input.value = "";
    if (!await this.act("text", { text })) input.value = text;
  }

  async share(event) {
    event.preventDefault();
    const { name, phone } = this.part("share").elements;
    if (await this.act("share", { name: name.value.trim(), phone: phone.value.trim() })) this.part("share").hidden = true;
  }

  show(one) {
    const shape = JSON.stringify(one);
    if (shape === this.drawn) return;
    this.drawn = shape;
    const zalo = one.zalo ?? { name: "", following: false, blocked: false };
    this.part("name").textContent = zalo.name;
    this.part("share").elements.name.value ||= zalo.name;
    this.part("silent").hidden = one.messages.length > 0;
    this.allow({ follow: !zalo.following && !zalo.blocked, unfollow: zalo.following, block: !zalo.blocked, unblock: zalo.blocked, picture: !zalo.blocked });
    this.part("compose").hidden = zalo.blocked;
    this.part("messages").replaceChildren(...one.messages.map((message) => this.bubble(message)));
    this.settle();
  }

  // A list that is drawn or moved anew begins at its top.
  settle() {
    const messages = this.part("messages");
    messages.scrollTop = this.scrolled ?? messages.scrollHeight;
  }

  allow(acts) {
    for (const [name, may] of Object.entries(acts)) this.card.querySelector(`[data-act=${name}]`).hidden = !may;
  }

  bubble(message) {
    const row = make("li", undefined, `bubble ${message.via === "mine" ? "written" : message.via}`), more = message.more ?? {};
    row.dataset.via = message.via;
    if (message.text) {
      const text = make("p");
      text.append(...linked(message.text));
      row.append(text);
    }
    row.append(...this.beside(more, message.id));
    const about = message.via === "mine" ? [words.wrote] : [message.via === "zalo" ? "Zalo" : "SMS", message.from];
    about.push(hour(message.at));
    if (message.parts > 1) about.push(fill(words.parts, { n: message.parts }));
    row.append(make("small", about.filter(Boolean).join(" · ")));
    return row;
  }

  beside(more, id) {
    const found = [];
    if (more.picture) found.push(this.picture(own(more.picture)));
    if (more.file) found.push(more.link ? away(own(more.link), fill(words.file, { name: more.file })) : make("p", fill(words.file, { name: more.file })));
    else if (more.link) found.push(away(more.link, more.link));
    if (more.ask) found.push(...this.question(more.ask));
    if (more.buttons) {
      const taps = make("div", undefined, "taps");
      taps.append(...more.buttons.map((button) => this.button(button, id)));
      found.push(taps);
    }
    return found;
  }

  picture(address) {
    const link = away(address, undefined, "sent-picture"), picture = make("img");
    picture.src = address;
    picture.alt = "";
    picture.addEventListener("load", () => this.settle());
    link.append(picture);
    return link;
  }

  question(ask) {
    const tell = make("button", words.tell, "tap");
    tell.type = "button";
    tell.addEventListener("click", () => {
      this.part("share").hidden = false;
      this.part("share").elements.name.focus();
    });
    return [make("b", ask.title), make("p", ask.subtitle), tell];
  }

  button(one, id) {
    if (one.url) return away(one.url, one.title, "tap");
    if (one.call) {
      const call = make("a", one.title, "tap");
      call.href = `tel:${one.call}`;
      return call;
    }
    const tap = make("button", one.title, "tap");
    tap.type = "button";
    tap.addEventListener("click", () => this.act("tap", { id, title: one.title }));
    return tap;
  }

  look(one) {
    // The chat counts as seen when somebody could see it.
    if (!one.zalo?.unseen || document.hidden) return;
    const { top, bottom } = this.card.getBoundingClientRect();
    if (top < innerHeight && bottom > 0) post(`/sandbox/users/${encodeURIComponent(this.number)}/seen`, {});
  }
}

const newest = (one) => Date.parse(one.messages.at(-1)?.at ?? one.zalo?.since ?? 0);

export function phones(place, list, empty) {
  // The phone that got the newest message comes first, but none moves while somebody types on one.
  const typing = place.contains(document.activeElement) && document.activeElement.tagName === "INPUT";
  const ordered = [...list].sort((one, other) => newest(other) - newest(one));
  for (const one of ordered) {
    if (!cards.has(one.phone)) {
      cards.set(one.phone, new Handset(one.phone));
      if (typing) place.prepend(cards.get(one.phone).card);
    }
    cards.get(one.phone).show(one);
  }
  const wanted = ordered.map((one) => cards.get(one.phone).card);
  if (!typing && wanted.some((card, index) => place.children[index] !== card)) {
    place.replaceChildren(...wanted);
    for (const one of ordered) cards.get(one.phone).settle();
  }
  if (!wanted.length) place.replaceChildren(make("p", empty, "quiet nothing"));
  for (const one of ordered) cards.get(one.phone).look(one);
}

export function start(look) {
  // `look` is called when something was done, so that it shows at once.
  changed = look;
  const form = document.getElementById("phone-form"), wrong = document.getElementById("phone-wrong");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [well, told] = await post("/sandbox/users", { phone: form.elements.phone.value });
    complain(wrong, well ? "" : told);
    if (!well) return;
    form.reset();
    await look();
    const card = cards.get(told.phone)?.card;
    card?.scrollIntoView({ block: "nearest" });
    card?.querySelector("[data-act=follow]:not([hidden]), input")?.focus();
  });
}
