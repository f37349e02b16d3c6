/* app.js: comforts only. Every page reads and submits without it. */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, scope = document) => [...scope.querySelectorAll(selector)];
  const typing = (element) => element.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");

  /* Theme and single keys: kept in cookies, so that the server writes them into the page and nothing flashes. */
  const keep = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`; };
  document.addEventListener("change", (event) => {
    if (event.target.name === "keys") {
      root.dataset.keys = event.target.checked ? "on" : "off";
      keep("keys", root.dataset.keys);
    }
    if (event.target.name !== "theme") return;
    if (event.target.value === "system") delete root.dataset.theme;
    else root.dataset.theme = event.target.value;
    keep("theme", event.target.value);
    document.dispatchEvent(new CustomEvent("theme"));
  });

  /* Copy: <button data-copy="text">. The result is announced through aria-live. */
  const copy = async (button) => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("is-done");
    const status = document.getElementById("status");
    if (status) status.textContent = "Copied to the clipboard";
    setTimeout(() => button.classList.remove("is-done"), 1500);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button).catch(() => {});
    all("details.menu[open]").filter((menu) => !menu.contains(event.target)).forEach((menu) => { menu.open = false; });
  });

  /* In-page tabs: without script all panels are shown one after the other. */
  const select = (tab, focus = false) => {
    all("[role=tab]", tab.closest("[role=tablist]")).forEach((other) => {
      const on = other === tab;
      other.setAttribute("aria-selected", String(on));
      other.tabIndex = on ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
    });
    if (focus) tab.focus();
  };

  /* Prompt editor: repaint the marks under the textarea while typing. */
  const paint = (area) => {
    const layer = area.nextElementSibling;
    const pieces = area.value.split(/({{.*?}}|{%.*?%})/s).map((piece) => {
      if (!/^{[{%]/.test(piece)) return document.createTextNode(piece);
      const mark = document.createElement("mark");
      mark.textContent = piece;
      if (piece.startsWith("{%")) mark.className = "is-logic";
      return mark;
    });
    layer.replaceChildren(...pieces, "\n");
  };
  document.addEventListener("input", (event) => { if (event.target.matches(".editor textarea") && event.target.nextElementSibling) paint(event.target); });

  /* Keys: / search, ? help, g and a letter go, j and k walk a list, arrows walk tabs, data-key clicks its element, or goes to it
     when it is a field to write in.
     Single keys can be switched off (WCAG 2.1.4). */
  const walk = (step) => {
    const rows = all("[data-walk] a.row-link, [data-walk] a.inbox-item").filter((row) => row.offsetParent);
    const at = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + step))]?.focus();
  };
  let going = false;
  const keys = {
    g: () => { going = true; setTimeout(() => { going = false; }, 1000); },
    "/": () => document.getElementById("search")?.focus(),
    "?": () => document.getElementById("keys")?.showModal(),
    j: () => walk(1),
    k: () => walk(-1),
  };

  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
      const tabs = all("[role=tab]", tab.parentElement);
      const step = event.key === "ArrowRight" ? 1 : -1;
      select(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], true);
      return;
    }
    if (event.key === "Escape") all("details.menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey || root.dataset.keys === "off") return;
    if (document.querySelector("dialog[open]") || (event.key === "Enter" && event.target.closest("a, button, summary"))) return;
    const marked = document.querySelector(`[data-${going ? "go" : "key"}="${CSS.escape(event.key.toLowerCase())}"]`);
    if (marked) marked.matches("input:not([type=checkbox], [type=radio]), select, textarea") ? marked.focus() : marked.click();
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });

  /* Dialogs use command and commandfor; this is for browsers that do not know them yet. */
  if (!("command" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[commandfor]");
      const dialog = button && document.getElementById(button.getAttribute("commandfor"));
      if (dialog) button.getAttribute("command") === "show-modal" ? dialog.showModal() : dialog.close();
    });
  }

  /* Messages: a failed htmx request says so, with the request's id. */
  const toast = (title, text) => {
    const piece = document.getElementById("toast-template").content.cloneNode(true);
    piece.querySelector("b").textContent = title;
    piece.querySelector("p").textContent = text;
    document.getElementById("toasts").append(piece);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-dismiss]");
    if (button) button.closest(".toast").remove();
  });
  document.addEventListener("htmx:responseError", (event) => {
    const answer = event.detail.xhr;
    const plain = (answer.getResponseHeader("Content-Type") || "").startsWith("text/plain");
    toast("This did not work", `${plain ? answer.responseText : `The server answered ${answer.status}.`} Request ${answer.getResponseHeader("X-Request-Id") || "unknown"}`);
  });
  document.addEventListener("htmx:sendError", () => toast("No answer from the server", "Check the connection and try again; nothing you typed is lost."));

  /* A form with data-guard asks before its changes are thrown away. */
  let dirty = false;
  document.addEventListener("input", (event) => { if (event.target.closest("form[data-guard]")) dirty = true; });
  document.addEventListener("submit", () => { dirty = false; });
  window.addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
  document.addEventListener("draft-kept", () => { dirty = false; });

  /* Times are UTC in the page and local on the screen. */
  const localise = (scope) => all("time[data-local]", scope).forEach((time) => {
    time.textContent = new Date(time.dateTime).toLocaleString(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  });

  const prepare = (scope) => {
    localise(scope);
    all("[role=tablist]", scope).forEach((list) => select(list.querySelector("[aria-selected=true]") || list.querySelector("[role=tab]")));
    all(".editor textarea", scope).forEach((area) => { if (area.nextElementSibling) paint(area); });
  };
  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });
  document.addEventListener("htmx:afterSettle", (event) => prepare(event.detail.elt));

  /* A part that asks for itself again and again keeps open what was opened in it. */
  const folds = (part) => {
    const seen = {};
    return all("details", part).map((one) => {
      const text = one.querySelector("summary")?.textContent || "";
      seen[text] = (seen[text] || 0) + 1;
      return [`${text} ${seen[text]}`, one];
    });
  };
  let unfolded = [];
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target } = event.detail;
    unfolded = elt === target ? folds(target).filter(([, one]) => one.open).map(([name]) => name) : [];
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (unfolded.length) folds(event.detail.elt).forEach(([name, one]) => { if (unfolded.includes(name)) one.open = true; });
    unfolded = [];
  });
  prepare(document);
})();
