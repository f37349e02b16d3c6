/* labeling.js: measures time on the item, keeps a draft of what is typed, and marks spans. The page works without it. */
(() => {
  "use strict";
  const form = document.getElementById("annotation");
  if (!form) return;
  const key = `label-draft:${form.dataset.item}`;
  const began = Date.now();
  const status = document.getElementById("work-status");

  const fields = () => [...new FormData(form).entries()].filter(([name]) => name.startsWith("q-"));
  try {
    for (const [name, value] of JSON.parse(localStorage.getItem(key) || "[]")) {
      for (const control of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
        if (control.type === "radio" || control.type === "checkbox") control.checked = control.checked || control.value === value;
        else if (!control.value) control.value = value;
      }
    }
  } catch { localStorage.removeItem(key); }
  form.addEventListener("input", () => localStorage.setItem(key, JSON.stringify(fields())));

  /* The next item is reserved and its page warmed while this one is worked on. */
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const ahead = new URLSearchParams({ ahead: "1", csrfmiddlewaretoken: token });
  fetch(document.querySelector("[data-next]").dataset.next, { method: "POST", body: ahead }).catch(() => {});

  /* Without a connection the answer stays here, and is sent when it is back. */
  form.addEventListener("submit", (event) => {
    form.elements.seconds.value = String(Math.round((Date.now() - began) / 1000));
    if (navigator.onLine) {
      sessionStorage.setItem("label-sent", key);
      return;
    }
    event.preventDefault();
    status.textContent = "No connection: kept here, sent when it is back";
    const button = event.submitter;
    window.addEventListener("online", () => form.requestSubmit(button), { once: true });
  });
  /* Keyboard alone, also in a text: Ctrl or Cmd and Enter saves, Escape gives the single keys back. */
  form.addEventListener("keydown", (event) => {
    if (!event.target.matches("textarea")) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(document.querySelector("button[form=annotation][value=save]"));
    } else if (event.key === "Escape") event.target.blur();
  });

  const sent = sessionStorage.getItem("label-sent");
  if (sent && sent !== key) {
    localStorage.removeItem(sent);
    sessionStorage.removeItem("label-sent");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-span]");
    const words = button && String(window.getSelection());
    const output = document.querySelector(".turn.is-model .turn-text");
    if (!words || !output) return;
    const start = output.textContent.indexOf(words);
    if (start < 0) return;
    const into = document.getElementById(button.dataset.into);
    const spans = into.value ? JSON.parse(into.value) : [];
    spans.push({ start, end: start + words.length, label: button.dataset.span });
    into.value = JSON.stringify(spans);
    into.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();
