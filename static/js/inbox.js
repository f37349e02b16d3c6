/* inbox.js: choosing rows. Without it the boxes and buttons of the list work as they are. */
(() => {
  "use strict";
  const boxes = () => [...document.querySelectorAll(".inbox-box input")];
  const focused = () => document.activeElement?.closest(".inbox-row")?.querySelector(".inbox-box input");

  const count = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    const everything = document.querySelector("input[name=everything]")?.checked;
    document.querySelectorAll("[data-chosen]").forEach((output) => {
      output.textContent = everything ? "everything that matches" : chosen ? `${chosen} chosen` : "";
    });
    const all = document.querySelector("[data-choose-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === boxes().length;
      all.indeterminate = chosen > 0 && chosen < boxes().length;
    }
  };

  let last = null; // shift chooses from the last box to this one
  document.addEventListener("click", (event) => {
    const box = event.target.closest(".inbox-box input");
    if (!box) return;
    const rows = boxes();
    if (event.shiftKey && last && rows.includes(last)) {
      const [from, to] = [rows.indexOf(last), rows.indexOf(box)].sort((a, b) => a - b);
      rows.slice(from, to + 1).forEach((row) => { row.checked = box.checked; });
    }
    last = box;
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-choose-all]")) boxes().forEach((box) => { box.checked = event.target.checked; });
    if (event.target.closest("#rows")) count();
  });
  document.addEventListener("htmx:afterSettle", count);
  window.addEventListener("pageshow", count);

  /* Enter in a field presses the button beside it. */
  document.addEventListener("keydown", (event) => {
    const button = event.key === "Enter" && event.target.closest(".bulk .field :is(input, select)")?.closest(".row").querySelector("button");
    if (!button) return;
    event.preventDefault();
    button.click();
  });

  /* Before app.js acts on a key: with nothing chosen, the row that one is on is meant. */
  const fields = { a: "#rows [name=assignee]", t: "#bulk-tag", e: "#rows [name=dataset]" };
  document.addEventListener("keydown", (event) => {
    const off = document.documentElement.dataset.keys === "off" || document.querySelector("dialog[open]");
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (off || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const box = focused();
    if (key === "x" && box) {
      box.checked = !box.checked;
      count();
      event.preventDefault();
    } else if (["d", "i", "l", ...Object.keys(fields)].includes(key)) {
      if (box && !boxes().some((other) => other.checked)) {
        box.checked = true;
        count();
      }
      const field = key in fields && document.querySelector(fields[key]);
      if (field) {
        field.closest("details").open = true;
        field.focus();
        event.preventDefault();
        event.stopImmediatePropagation();
      } else if (!boxes().some((other) => other.checked) && !document.querySelector("input[name=everything]:checked")) {
        event.stopImmediatePropagation(); // nothing is meant: do not send an empty choice
      }
    }
  }, true);
})();
