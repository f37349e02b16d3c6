/* feedback.js: thumbs, reasons and a text box for your own pages. Two lines, no build, no cookies:

     <script src="https://YOUR-LLMOPS/static/js/feedback.js" data-key="pk-…" defer></script>
     <llmops-feedback call="the-call-id" user="the-user-id"></llmops-feedback>

   Attributes of the element: call, user, token (a signed token instead of key, call and user), reasons (by commas),
   and the words: label-question, label-up, label-down, label-reasons, label-comment, label-send, label-close,
   label-thanks, label-later. Look: the custom properties --llmops-accent, --llmops-line, --llmops-surface.
   Your policy needs script-src and connect-src for the platform's origin, nothing else: no inline style or script.
   To draw your own buttons: LLMOpsFeedback.send({call, user, thumbs: "down", tags: ["Wrong"], comment: "…"}). */
(() => {
  "use strict";
  const script = document.currentScript;
  const key = script?.dataset.key || "";
  const address = script?.dataset.url || new URL("../../api/v1/feedback", script?.src || location.href).href;

  /* ---- what is kept in the browser: unsent events, own votes, a name for this browser ---- */
  const KEPT_MS = 7 * 24 * 3600 * 1000;
  const MOST_WAITING = 50;
  const MOST_VOTES = 200;
  const memory = new Map(); // where storage is forbidden, this page remembers
  const read = (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(`llmops-feedback:${name}`)) ?? otherwise; } catch { return memory.get(name) ?? otherwise; }
  };
  const write = (name, value) => {
    memory.set(name, value);
    try { localStorage.setItem(`llmops-feedback:${name}`, JSON.stringify(value)); } catch { /* memory has it */ }
  };
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  /* Without a user, this browser is the voter: still one vote for each message. */
  const browser = () => {
    const name = read("browser", "") || `b-${random()}`;
    write("browser", name);
    return name;
  };

  /* ---- sending: in order, one at a time, again after a failure; an id makes sending twice the same as once ---- */
  let timer = 0;
  let pause = 0;
  let waiting = []; // promises of this page, by event id
  const settle = (id, result) => {
    waiting.filter((one) => one.id === id).forEach((one) => one.done(result));
    waiting = waiting.filter((one) => one.id !== id);
  };
  const queue = () => read("queue", []).filter((one) => one && one.event && Date.now() - one.at < KEPT_MS).slice(-MOST_WAITING);
  const drop = (id) => write("queue", queue().filter((one) => one.event.id !== id));

  const post = async ({ url, bearer, event }) => {
    const answer = await fetch(url, {
      method: "POST", mode: "cors", credentials: "omit", keepalive: true, referrerPolicy: "no-referrer",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${bearer}` }, body: JSON.stringify(event),
    });
    const again = answer.status === 408 || answer.status === 429 || answer.status >= 500;
    return { again, ok: answer.ok, wait: Number(answer.headers.get("Retry-After")) || 0 };
  };

  const flush = async () => {
    clearTimeout(timer);
    for (let next = queue()[0]; next; next = queue()[0]) {
      let result;
      try { result = await post(next); } catch { result = { again: true }; }
      if (result.again) {
        pause = Math.min(60, Math.max(1, pause * 2));
        const seconds = Math.max(result.wait || 0, pause) * (0.75 + Math.random() / 2);
        timer = setTimeout(run, seconds * 1000);
        waiting.forEach((one) => one.done("later"));
        waiting = [];
        return;
      }
      pause = 0;
      drop(next.event.id); // stored, or refused for good: sending it again would change nothing
      settle(next.event.id, result.ok ? "sent" : "refused");
    }
  };
  let running = Promise.resolve();
  const alone = () => (navigator.locks ? navigator.locks.request("llmops-feedback", flush) : flush());
  const run = () => { running = running.then(alone, alone); return running; };
  window.addEventListener("online", () => { pause = 0; run(); });

  /* Resolves to "sent", "later" (offline; it is sent when the connection is back) or "refused". */
  const send = ({ call, user, token, ...said }) => {
    const event = { id: `js-${random()}`, ...said };
    if (!token) Object.assign(event, { call }, user ? { end_user: user } : { session: browser() });
    const topic = token || call;
    /* A changed mind that has not left yet is only sent as it is now; words that wait are kept. */
    const kept = queue().filter((one) => one.topic !== topic || !one.event.thumbs || one.event.comment || one.event.tags || !event.thumbs);
    write("queue", [...kept, { at: Date.now(), url: address, bearer: token || key, topic, event }].slice(-MOST_WAITING));
    const result = new Promise((done) => { waiting.push({ id: event.id, done }); });
    run();
    return result;
  };

  const voteOn = (topic) => (read("votes", []).find(([name]) => name === topic) || [])[1] || "";
  const remember = (topic, vote) => write("votes", [...read("votes", []).filter(([name]) => name !== topic), [topic, vote]].slice(-MOST_VOTES));

  /* ---- the element: built by hand, styled by a constructed sheet, so that a strict policy holds ---- */
  const LOOK = `
    :host { display: block; font: inherit; color: inherit; }
    :host([hidden]) { display: none; }
    .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
    button { font: inherit; color: inherit; cursor: pointer; border: 1px solid var(--llmops-line, color-mix(in srgb, currentColor 45%, transparent)); border-radius: 0.5rem; background: transparent; min-width: 2.25rem; min-height: 2.25rem; padding: 0.25rem 0.5rem; }
    button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
    button[aria-pressed="true"] { border-color: var(--llmops-accent, currentColor); box-shadow: inset 0 0 0 1px var(--llmops-accent, currentColor); font-weight: 600; }
    :is(button, input, textarea):focus-visible { outline: 2px solid var(--llmops-accent, currentColor); outline-offset: 2px; }
    svg { width: 1.25rem; height: 1.25rem; display: block; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
    button[aria-pressed="true"] svg { fill: color-mix(in srgb, currentColor 25%, transparent); }
    form { display: grid; gap: 0.75rem; max-width: 32rem; margin-top: 0.5rem; padding: 0.75rem; border: 1px solid var(--llmops-line, color-mix(in srgb, currentColor 30%, transparent)); border-radius: 0.5rem; background: var(--llmops-surface, transparent); }
    form[hidden] { display: none; }
    fieldset { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 0; padding: 0; border: 0; min-width: 0; }
    legend, .name { font-weight: 600; padding: 0 0 0.25rem; }
    fieldset label { display: inline-flex; align-items: center; gap: 0.375rem; min-height: 1.75rem; }
    .field { display: grid; }
    textarea { box-sizing: border-box; width: 100%; min-height: 4.5rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--llmops-line, color-mix(in srgb, currentColor 60%, transparent)); border-radius: 0.375rem; padding: 0.5rem; }
    [role=status]:empty { display: none; }`;
  const THUMB = "M7 10v12M15 5.88 14 10h5.83a2 2 0 0 1 1.92 2.56l-2.33 8A2 2 0 0 1 17.5 22H4a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2h2.76a2 2 0 0 0 1.79-1.11L12 2a3.13 3.13 0 0 1 3 3.88Z";
  const WORDS = {
    question: "Was this answer helpful?", up: "Yes, helpful", down: "No, not helpful", reasons: "What was wrong?",
    comment: "In your words (optional)", send: "Send", close: "Close", thanks: "Thank you.",
    later: "You are offline. Your feedback is kept and sent later.", refused: "This could not be sent.",
  };
  const REASONS = "Wrong, Incomplete, Not what I asked, Too long, Out of date, Harmful";

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    element.append(...children);
    return element;
  };
  const thumb = (isDown) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const path = document.createElementNS(space, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    if (isDown) path.setAttribute("transform", "rotate(180 12 12)");
    path.setAttribute("d", THUMB);
    svg.append(path);
    return svg;
  };

  class Feedback extends HTMLElement {
    static observedAttributes = ["call", "token"];

    connectedCallback() {
      if (!this.shadowRoot) this.build();
      this.show();
    }

    attributeChangedCallback() { if (this.shadowRoot) { this.close(); this.show(); } }

    word(name) { return this.getAttribute(`label-${name}`) || WORDS[name]; }

    get topic() { return this.getAttribute("token") || this.getAttribute("call") || ""; }

    build() {
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(LOOK);
      root.adoptedStyleSheets = [sheet];
      this.up = make("button", { type: "button", "aria-label": this.word("up"), title: this.word("up") }, thumb(false));
      this.down = make("button", { type: "button", "aria-label": this.word("down"), title: this.word("down"), "aria-expanded": "false", "aria-controls": "why" }, thumb(true));
      this.status = make("span", { role: "status" });
      const question = make("span", { id: "question" }, this.word("question"));
      this.form = this.buildForm();
      root.append(make("div", { class: "bar", role: "group", "aria-labelledby": "question" }, question, this.up, this.down, this.status), this.form);
      this.up.addEventListener("click", () => this.vote("up"));
      this.down.addEventListener("click", () => this.vote("down"));
      this.form.addEventListener("submit", (event) => { event.preventDefault(); this.explain(); });
      this.form.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); this.close(true); } });
    }

    buildForm() {
      const reasons = (this.getAttribute("reasons") ?? REASONS).split(",").map((reason) => reason.trim()).filter(Boolean).slice(0, 20);
      const boxes = reasons.map((reason) => make("label", {}, make("input", { type: "checkbox", name: "reason", value: reason.slice(0, 60) }), reason));
      this.text = make("textarea", { id: "comment", maxlength: "5000", rows: "3" });
      const close = make("button", { type: "button" }, this.word("close"));
      close.addEventListener("click", () => this.close(true));
      return make("form", { id: "why", hidden: "", novalidate: "" },
        ...(boxes.length ? [make("fieldset", {}, make("legend", {}, this.word("reasons")), ...boxes)] : []),
        make("div", { class: "field" }, make("label", { for: "comment", class: "name" }, this.word("comment")), this.text),
        make("div", { class: "bar" }, make("button", { type: "submit" }, this.word("send")), close));
    }

    show() {
      const vote = voteOn(this.topic);
      this.up.setAttribute("aria-pressed", String(vote === "up"));
      this.down.setAttribute("aria-pressed", String(vote === "down"));
    }

    async submit(said, vote) {
      remember(this.topic, vote);
      this.show();
      this.status.textContent = "";
      const { topic } = this;
      const from = { call: this.getAttribute("call"), user: this.getAttribute("user"), token: this.getAttribute("token") };
      const result = await send({ ...from, thumbs: vote, ...said });
      if (topic === this.topic) this.status.textContent = this.word(result === "sent" ? "thanks" : result);
      if (result === "refused") { remember(topic, ""); this.show(); }
      this.dispatchEvent(new CustomEvent("llmops-feedback", { bubbles: true, composed: true, detail: { thumbs: vote, ...said, result } }));
    }

    vote(vote) {
      if (voteOn(this.topic) !== vote) this.submit({}, vote);
      if (vote === "up") { this.close(); return; }
      this.form.hidden = false;
      this.down.setAttribute("aria-expanded", "true");
      this.form.querySelector("input, textarea").focus();
    }

    explain() {
      const tags = [...this.form.querySelectorAll("input:checked")].map((box) => box.value);
      const comment = this.text.value.trim();
      if (tags.length || comment) this.submit({ ...(tags.length ? { tags } : {}), ...(comment ? { comment } : {}) }, "down");
      this.close(true);
    }

    close(returns = false) {
      this.form.hidden = true;
      this.form.reset();
      this.down.setAttribute("aria-expanded", "false");
      if (returns) this.down.focus();
    }
  }

  window.LLMOpsFeedback = { send };
  if (!customElements.get("llmops-feedback")) customElements.define("llmops-feedback", Feedback);
  run();
})();
