"use strict";
// What is decided stays in this browser until it is saved to a file.
const keeper = (ui) => {
  const { page, $, cards, tell } = ui;
  const KEY = "imagebatch-picks:" + page.lineage;
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
  const show = (card) => {
    const one = decisions.get(card.dataset.address);
    const text = !one ? "" : "note" in one ? "rejected" + (one.note ? ": " + one.note : "") : "picked here";
    ui.paint(card, { use: one ? one.use || [] : ui.original(card), text, decided: Boolean(one) });
  };
  // What the project would refuse is left out here: one such character would keep the whole saved file from being taken.
  const visible = (text) => text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu, (one) => ("\n\t\u200c\u200d".includes(one) ? one : ""));
  const decide = (card, decision) => {
    read();  // another page may have decided meanwhile
    if (decision && decision.use && ui.same(decision.use, ui.original(card))) decision = null;
    if (decision && "note" in decision) decision = { ...decision, note: visible(decision.note) };
    if (decision) decisions.set(card.dataset.address, { for: card.dataset.draw, ...decision });
    else decisions.delete(card.dataset.address);
    write();
    show(card);
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
  const start = () => {
    $("#save").addEventListener("click", save);
    $("#discard").addEventListener("click", () => {
      if (!confirm("Forget the " + decisions.size + " decisions made here?")) return;
      decisions.clear();
      write();
      cards.forEach(show);
    });
    read();
    for (const card of cards) {
      const one = decisions.get(card.dataset.address);
      if (!one) continue;
      // Drawn anew since, or taken meanwhile: what was decided here says nothing any more.
      const here = ui.shots(card).map((shot) => shot.dataset.sha);
      const meant = one.use || one.seen || [];
      const gone = one.for !== card.dataset.draw || !meant.every((sha) => here.includes(sha)) || (one.use && ui.same(one.use, ui.original(card)));
      if (gone) decisions.delete(card.dataset.address); else show(card);
    }
    write();
    addEventListener("storage", (event) => { if (event.key === KEY) { read(); count(); cards.forEach(show); } });
    addEventListener("beforeunload", (event) => { if (!kept && decisions.size) event.preventDefault(); });
  };
  return {
    start,
    decide,
    undo: (card) => decide(card, null),
    note: (card) => (decisions.get(card.dataset.address) || {}).note || "",
    decided: (card) => decisions.has(card.dataset.address),
  };
};
