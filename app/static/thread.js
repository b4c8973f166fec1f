"use strict";

// Keys and canned replies of a conversation's page.
const box = () => document.getElementById("message");

// what somebody typed and has not sent outlives every other button of the page, and a reload, in this tab
for (const typed of document.querySelectorAll("#message, #note")) {
  const key = `typed ${live.dataset.viewer} ${location.pathname} ${typed.id}`;
  const keep = () => typed.value === typed.defaultValue ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, typed.value);
  const isTaken = !document.querySelector("#reply-errors > *") && !location.search.includes("again=");
  const kept = isTaken ? sessionStorage.getItem(key) : null;
  if (kept !== null && kept !== typed.value) typed.value = kept;
  typed.addEventListener("input", keep);
  typed.form.addEventListener(typed.id === "note" ? "submit" : "sent", () => sessionStorage.removeItem(key));
}

document.getElementById("canned")?.addEventListener("click", (click) => {
  const text = click.target.dataset?.text;
  if (text === undefined) return;
  box().setRangeText(text, box().selectionStart, box().selectionEnd, "end");
  box().dispatchEvent(new Event("input"));
  box().focus();
});

// asked for without leaving the page: what somebody has begun to write stays
document.getElementById("ask")?.addEventListener("submit", async (submission) => {
  submission.preventDefault();
  const form = submission.target;
  try {
    const answer = await fetch(form.action, { method: "POST", headers: { Accept: "text/html", "Content-Type": "application/x-www-form-urlencoded" } });
    const fresh = parse(await answer.text());
    show(fresh);
    complain(fresh.getElementById("reply-errors")?.innerHTML ?? "");
    if (!form.querySelector("button")) form.parentElement.focus();  // the button is gone
  } catch {
    form.submit();
  }
});

document.addEventListener("keydown", (press) => {
  if (press.target.closest("input, textarea, select, [contenteditable]") || press.ctrlKey || press.metaKey || press.altKey) return;
  if (press.key === "r" && box()) {
    box().focus();
    press.preventDefault();
  } else if (press.key === "u") {
    location.assign("/inbox");
  } else {
    document.querySelector(`[data-key="${CSS.escape(press.key)}"]`)?.click();
  }
});
