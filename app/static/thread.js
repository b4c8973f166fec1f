"use strict";

// Keys and canned replies of a conversation's page.
const box = () => document.getElementById("message");

// what somebody typed and has not sent outlives every other button of the page, and a reload, in this tab; of an
// answer with the draft it was made from, so that nobody's own words are sent as another's draft
const place = `typed ${live.dataset.viewer} ${location.pathname}`;
const keyOf = (typed) => typed.id === "message" ? `${place} message ${reply.elements.draft?.value ?? ""}` : `${place} note`;
const isTold = document.querySelector("#reply-errors > *") || location.search.includes("again=");

document.addEventListener("input", ({ target: typed }) => {
  if (!typed.matches("#message, #note")) return;
  if (typed.value === typed.defaultValue) sessionStorage.removeItem(keyOf(typed));
  else sessionStorage.setItem(keyOf(typed), typed.value);
});

for (const typed of document.querySelectorAll("#message, #note")) {
  const kept = sessionStorage.getItem(keyOf(typed));
  const isStored = typed.id === "note" && [...document.querySelectorAll(".message.note .bubble")].some((one) => one.textContent.trim() === kept?.trim());
  if (isStored) sessionStorage.removeItem(keyOf(typed));
  else if (kept !== null && !(isTold && typed.defaultValue)) typed.value = kept;
}

// a draft came while they wrote: it is shown, and their own words can be had back
const own = reply?.elements.draft && sessionStorage.getItem(`${place} message `);
if (own) {
  const offer = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "Put back what you had typed" });
  offer.addEventListener("click", () => {
    reply.elements.draft?.remove();
    reply.querySelector(".note")?.remove();
    reply.querySelector("[formaction]")?.remove();
    box().value = own;
    offer.remove();
    box().focus();
  });
  reply.querySelector("button[type=submit]").before(offer);
}
reply?.addEventListener("sent", () => {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(`${place} message `)) sessionStorage.removeItem(key);
});

document.getElementById("canned")?.addEventListener("click", (click) => {
  const text = click.target.dataset?.text;
  if (text === undefined) return;
  box().setRangeText(text, box().selectionStart, box().selectionEnd, "end");
  box().dispatchEvent(new Event("input", { bubbles: true }));
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
    complain(fresh.getElementById("reply-errors")?.innerHTML ?? fresh.getElementById("problem")?.outerHTML ?? "");
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
