"use strict";

// Shows new messages without a reload and without touching what the customer is typing.
const ticket = document.getElementById("ticket");
const list = document.getElementById("messages");
const reply = document.getElementById("reply");
const parse = (text) => new DOMParser().parseFromString(text, "text/html");

function show(fresh) {
  const next = fresh.getElementById("ticket");
  if (!next) return;
  const isAtEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 80;
  const items = [...fresh.querySelectorAll("#messages > li")];
  const known = new Set(items.map((item) => item.id));
  for (const item of [...list.children]) if (!known.has(item.id)) item.remove();
  items.forEach((item, place) => {
    const shown = document.getElementById(item.id);
    if (!shown) list.insertBefore(document.importNode(item, true), list.children[place] ?? null);
    else if (shown.innerHTML !== item.innerHTML) shown.replaceWith(document.importNode(item, true));
  });
  for (const id of ["standing", "facts", "working", "handler"]) {
    const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || !now || old.outerHTML === now.outerHTML) continue;
    const hadFocus = old.contains(document.activeElement);
    for (const { name, value } of now.attributes) old.setAttribute(name, value);
    old.innerHTML = now.innerHTML;  // the element itself stays: screen readers listen to it
    if (hadFocus) old.querySelector("button")?.focus();
  }
  ticket.dataset.stamp = next.dataset.stamp;
  if (isAtEnd) list.lastElementChild?.scrollIntoView({ block: "nearest" });
}

// a refused form shows this page at the form's own address, which cannot be read again
if (location.pathname + location.search !== ticket.dataset.self) history.replaceState(null, "", ticket.dataset.self);

async function refresh() {
  const answer = await fetch(ticket.dataset.self, { headers: { Accept: "text/html" } });
  if (answer.ok) show(parse(await answer.text()));
}

new EventSource(ticket.dataset.events).addEventListener("change", (change) => {
  if (change.data !== ticket.dataset.stamp) refresh().catch(() => {});
});

function complain(html) {
  const errors = document.getElementById("reply-errors");
  errors.innerHTML = html;
  errors.firstElementChild?.focus();
}

async function send() {
  const box = reply.elements.message;
  const sent = box.value;
  const body = new URLSearchParams(new FormData(reply));
  const answer = await fetch(reply.action, { method: "POST", body, headers: { Accept: "text/html" } });
  const fresh = parse(await answer.text());
  show(fresh);
  const id = fresh.querySelector("#reply [name=submission_id]");
  if (id) reply.elements.submission_id.value = id.value;
  if (answer.ok && box.value === sent) box.value = "";
  const told = fresh.getElementById("reply-errors")?.innerHTML ?? fresh.getElementById("problem")?.outerHTML;
  complain(told ?? "");
}

reply?.addEventListener("submit", async (submission) => {
  submission.preventDefault();
  const button = reply.querySelector("button");
  button.disabled = true;
  try {
    await send();
  } catch {
    complain("<div class='summary' role='alert' tabindex='-1'></div>");
    document.querySelector("#reply-errors > div").textContent = reply.dataset.offline;
  } finally {
    button.disabled = false;
  }
});
