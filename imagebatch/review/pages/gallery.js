"use strict";
(() => {
  const page = document.body.dataset;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const cards = $$(".card");
  const items = cards.length ? cards : $$(".asset");
  const KEY = "imagebatch-picks:" + page.lineage;

  // What is decided here ----------------------------------------------------------------------------------------------
  let kept = true;
  let decisions = new Map();
  const read = () => {
    try {
      const found = JSON.parse(localStorage.getItem(KEY) || "{}");
      decisions = new Map(Object.entries(found).filter(([, one]) => one && typeof one.for === "string"));
    } catch { kept = kept && canKeep(); }
  };
  const canKeep = () => { try { localStorage.setItem(KEY + "?", "1"); localStorage.removeItem(KEY + "?"); return true; } catch { return false; } };
  const write = () => {
    try { localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(decisions))); } catch { kept = false; }
    count();
  };
  const count = () => {
    const button = $("#save");
    button.hidden = $("#discard").hidden = decisions.size === 0;
    button.textContent = "Save picks (" + decisions.size + ")";
  };
  const shots = (card) => $$(".shot", card);
  const chosen = (card) => shots(card).filter((shot) => shot.classList.contains("picked")).map((shot) => shot.dataset.sha);
  const original = (card) => shots(card).filter((shot) => "was" in shot.dataset).map((shot) => shot.dataset.sha);
  const same = (a, b) => a.length === b.length && a.every((one) => b.includes(one));

  const show = (card) => {
    const one = decisions.get(card.dataset.address);
    const use = one ? one.use || [] : original(card);
    for (const shot of shots(card)) {
      const on = use.includes(shot.dataset.sha);
      shot.classList.toggle("picked", on);
      const button = $(".pick", shot);
      if (button) button.setAttribute("aria-pressed", String(on));
    }
    const waits = $(".state.unpicked", card);
    if (waits) waits.hidden = Boolean(one);
    const mark = $(".chosen", card);
    if (mark) {
      mark.hidden = !one;
      mark.textContent = !one ? "" : "note" in one ? "rejected" + (one.note ? ": " + one.note : "") : "picked here";
    }
  };
  const decide = (card, decision) => {
    read();  // another page may have decided meanwhile
    if (decision) decisions.set(card.dataset.address, { for: card.dataset.draw, ...decision });
    else decisions.delete(card.dataset.address);
    write();
    show(card);
  };
  const pick = (card, number) => {
    const shot = shots(card).find((one) => one.dataset.number === String(number));
    if (!shot || !shot.dataset.sha) return tell(card.dataset.address + " has no picture " + number + " here that could be picked.");
    let use = [shot.dataset.sha];
    if ("several" in card.dataset) {
      const now = chosen(card);
      use = now.includes(shot.dataset.sha) ? now.filter((one) => one !== shot.dataset.sha) : [...now, shot.dataset.sha];
    }
    if (!use.length) return decide(card, null);
    decide(card, same(use, original(card)) ? null : { use });
  };
  const reject = (card) => {
    if (!shots(card).some((shot) => shot.dataset.sha)) return tell("There is no picture yet that could be rejected.");
    const dialog = $("#reject");
    $("#reject-address").textContent = card.dataset.address;
    const note = $("#reject-note");
    note.value = (decisions.get(card.dataset.address) || {}).note || "";
    dialog.returnValue = "";
    dialog.onclose = () => { if (dialog.returnValue === "yes") decide(card, { seen: shots(card).map((shot) => shot.dataset.sha).filter(Boolean), note: note.value.trim().slice(0, 2000) }); };
    dialog.showModal();
    note.focus();
  };
  const save = () => {
    read();
    const list = [...decisions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([address, one]) => (
      "note" in one ? { address, for: one.for, seen: one.seen, reject: one.note } : { address, for: one.for, use: one.use }
    ));
    const text = JSON.stringify({ format: "imagebatch-picks", format_version: "1.0", lineage: page.lineage, decisions: list }, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
    link.download = "picks-" + new Date().toISOString().slice(0, 16).replace(/[:T]/g, "") + ".json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    tell("Saved as " + link.download + ". Whoever has the project takes it with: imagebatch pick --import " + link.download);
  };

  // Filters -----------------------------------------------------------------------------------------------------------
  const fields = { search: $("#search"), state: $("#by-state"), provider: $("#by-provider"), tag: $("#by-tag") };
  let texts = null;
  const words = (text) => (text || "").split("\n").filter(Boolean);
  const fits = (item, index) => {
    const data = item.dataset;
    if (fields.state.value && !words(data.states).includes(fields.state.value)) return false;
    if (fields.provider.value && !words(data.provider).includes(fields.provider.value)) return false;
    if (fields.tag.value && !words(data.tags).includes(fields.tag.value)) return false;
    const wanted = fields.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!wanted.length) return true;
    texts ||= items.map((one) => (one.textContent + " " + (one.dataset.tags || "")).toLowerCase());
    return wanted.every((word) => texts[index].includes(word));
  };
  const filter = () => {
    let left = 0;
    items.forEach((item, index) => { item.hidden = !fits(item, index); left += item.hidden ? 0 : 1; });
    document.body.classList.toggle("filtered", left !== items.length);
    for (const row of $$(".row, .flow")) row.hidden = !$(".card:not([hidden])", row);
    for (const part of $$(".section")) part.hidden = !$(".card:not([hidden]), .asset:not([hidden])", part);
    $("#left").textContent = left === items.length ? "" : left + " of " + items.length;
  };
  const options = (select, name) => {
    const found = [...new Set(items.flatMap((item) => words(item.dataset[name])))].sort();
    for (const value of found) {
      const option = document.createElement("option");
      option.value = option.textContent = value;
      select.append(option);
    }
    select.hidden = found.length < (name === "provider" ? 2 : 1);
  };

  // Moving about ------------------------------------------------------------------------------------------------------
  let here = null;
  const seen = () => items.filter((item) => !item.hidden);
  const go = (item) => {
    if (!item) return;
    if (here) here.classList.remove("here");
    here = item;
    here.classList.add("here");
    here.focus({ preventScroll: true });
    here.scrollIntoView({ block: "nearest" });
  };
  const step = (by) => {
    const list = seen();
    const at = list.indexOf(here);
    go(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(list.length - 1, Math.max(0, at + by))]);
  };
  const line = (by) => {
    const from = here && here.getBoundingClientRect();
    if (!from) return step(by);
    const list = seen();
    const middle = from.left + from.width / 2;
    for (let at = list.indexOf(here) + by; at >= 0 && at < list.length; at += by) {
      const box = list[at].getBoundingClientRect();
      if (by > 0 ? box.top < from.bottom - 1 : box.top > from.top - 1) continue;
      if (box.left <= middle && box.right >= middle) return go(list[at]);
    }
  };
  const nextWaiting = () => {
    const list = seen();
    const waits = (card) => words(card.dataset.states).includes("unpicked") && !decisions.has(card.dataset.address);
    const at = list.indexOf(here);
    const found = [...list.slice(at + 1), ...list.slice(0, at + 1)].find(waits);
    if (found) go(found); else tell("Nothing here waits for a pick.");
  };

  // The large view ----------------------------------------------------------------------------------------------------
  const viewer = $("#viewer");
  let viewed = [];
  let viewedAt = 0;
  const look = (card, number) => {
    viewed = $$(".shot a", card);
    if (!viewed.length) return;
    go(card);
    lookAt(number);
    if (!viewer.open) viewer.showModal();
  };
  const lookAt = (index) => {
    viewedAt = (index + viewed.length) % viewed.length;
    const link = viewed[viewedAt];
    const small = $("img", link);
    const large = $("img", viewer);
    large.onerror = () => { large.onerror = null; large.src = small.src; };
    large.src = link.href;
    large.alt = small.alt;
    const picked = link.parentElement.classList.contains("picked") ? ", picked" : "";
    $("p", viewer).textContent = here.dataset.address + " · " + (viewedAt + 1) + " of " + viewed.length + picked;
  };

  let timer = 0;
  const tell = (text) => {
    const told = $("#told");
    told.textContent = text;
    told.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => { told.hidden = true; }, 9000);
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
    if (viewer.open) {
      if (event.key === "ArrowRight" || event.key === "j") lookAt(viewedAt + 1);
      else if (event.key === "ArrowLeft" || event.key === "k") lookAt(viewedAt - 1);
      else if (/^[1-9]$/.test(event.key) && here && here.matches(".card")) { pick(here, Number(event.key)); lookAt(viewedAt); }
      else return;
      return event.preventDefault();
    }
    if ($("dialog[open]")) return;
    const onCard = here && here.matches(".card");
    if (event.key === "/") fields.search.focus();
    else if (event.key === "?") $("#help").showModal();
    else if (event.key === "j" || event.key === "ArrowRight") step(1);
    else if (event.key === "k" || event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowDown") line(1);
    else if (event.key === "ArrowUp") line(-1);
    else if (event.key === "u") nextWaiting();
    else if (event.key === "Enter" && here && !event.target.closest("a, button, summary")) {
      if (onCard) look(here, 0); else $("a", here).click();
    }
    else if (onCard && /^[1-9]$/.test(event.key)) pick(here, Number(event.key));
    else if (onCard && event.key === "0") decide(here, null);
    else if (onCard && event.key === "x") reject(here);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    const card = event.target.closest(".card");
    if (button && card) { pick(card, Number(button.textContent)); return go(card); }
    const link = event.target.closest(".shot a");
    if (link && card && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      look(card, $$(".shot a", card).indexOf(link));
    }
  });
  viewer.addEventListener("click", () => viewer.close());
  for (const slider of $$(".compare.pair")) {
    slider.classList.add("slider");
    const range = document.createElement("input");
    range.type = "range";
    range.setAttribute("aria-label", "Before and after");
    range.addEventListener("input", () => slider.style.setProperty("--at", range.value + "%"));
    slider.append(range);
  }

  $("#save").addEventListener("click", save);
  $("#discard").addEventListener("click", () => {
    if (!confirm("Forget the " + decisions.size + " decisions made here?")) return;
    decisions.clear();
    write();
    cards.forEach(show);
  });
  $("#ask").addEventListener("click", () => $("#help").showModal());
  for (const field of Object.values(fields)) field.addEventListener("input", filter);
  const assets = $("#by-asset");
  if (assets) assets.addEventListener("input", () => { if (assets.value) location.href = assets.value; });
  options(fields.state, "states");
  options(fields.provider, "provider");
  options(fields.tag, "tags");
  for (const button of $$(".pick")) button.disabled = !button.parentElement.dataset.sha;
  for (const tool of $$(".scripted")) tool.hidden = false;
  read();
  for (const card of cards) {
    const one = decisions.get(card.dataset.address);
    if (!one) continue;
    // Drawn anew since, or taken meanwhile: what was decided here says nothing any more.
    const here = shots(card).map((shot) => shot.dataset.sha);
    const meant = one.use || one.seen || [];
    const gone = one.for !== card.dataset.draw || !meant.every((sha) => here.includes(sha)) || (one.use && same(one.use, original(card)));
    if (gone) decisions.delete(card.dataset.address); else show(card);
  }
  write();
  addEventListener("storage", (event) => { if (event.key === KEY) { read(); count(); cards.forEach(show); } });
  addEventListener("beforeunload", (event) => { if (!kept && decisions.size) event.preventDefault(); });
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target) go(target);
})();
