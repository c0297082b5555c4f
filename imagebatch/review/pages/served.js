"use strict";
// What is decided goes to `imagebatch review` at once, with the version of what this page has shown.
const keeper = (ui) => {
  const { $, cards, tell } = ui;
  const POLL_MS = 1500;
  const byAddress = new Map(cards.map((card) => [card.dataset.address, card]));
  const standings = new Map();
  const busy = new Map();  // address -> the version that will stand once what was sent has been answered
  let revision = 0;
  let trouble = "";
  const file = location.pathname.split("/").pop() || "index.html";

  // Other pictures stand there than this page shows: drawn anew, or bought in a higher resolution.
  const stale = (card) => {
    const one = standings.get(card.dataset.address);
    if (!one || !one.draw) return false;
    const here = ui.shots(card).map((shot) => shot.dataset.sha);
    const others = here.length > 0 && !here.includes("") && !one.use.every((sha) => here.includes(sha));
    return one.draw !== card.dataset.draw || String(one.attempt) !== card.dataset.attempt || others;
  };
  const words = (one) => (one.rejected ? "rejected" + (one.note ? ": " + one.note : "") : one.asked ? "to be drawn again" : "");
  const show = (card) => {
    const one = standings.get(card.dataset.address);
    if (!one) return;
    const old = stale(card);
    const text = old ? "changed since: reload the page" : words(one);
    ui.paint(card, { use: old ? [] : one.use, text, decided: one.rejected || one.use.length > 0 });
    const button = $(".protect", card);
    if (button) button.setAttribute("aria-pressed", String(one.protected));
    const mark = $(".state.protected", card);
    if (mark) mark.hidden = !one.protected;
    for (const act of ui.all(".acts button, .pick", card)) if (old) act.disabled = true;
  };
  const take = (address, one) => {
    const known = standings.get(address);
    if (known && known.at > one.at) return;  // an answer that was overtaken
    standings.set(address, one);
    if (!busy.has(address) && byAddress.has(address)) show(byAddress.get(address));
  };
  const warn = (text) => {
    const bar = $("#trouble");
    if (bar.textContent !== text) bar.textContent = text;
    bar.hidden = !text;
  };

  const post = async (wish) => {
    try {
      const answer = await fetch("decide", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(wish), credentials: "omit" });
      if (answer.status < 500 && (answer.headers.get("content-type") || "").startsWith("application/json")) return await answer.json();
      return { is: "refused", text: "the review answered " + answer.status };
    } catch {
      ended();
      return { is: "refused", text: "the review does not answer; nothing was written" };
    }
  };
  const ended = () => warn("The review has ended or cannot be reached. What is decided now is not written.");

  // One dialog after another: two conflicts at once are two questions.
  let asking = Promise.resolve();
  const ask = (card, wanted, stands) => {
    asking = asking.then(() => new Promise((settle) => {
      const dialog = $("#conflict");
      $("#conflict-address").textContent = card.dataset.address;
      $("#conflict-theirs").textContent = spoken(card, stands);
      $("#conflict-mine").textContent = wanted;
      dialog.returnValue = "";
      dialog.onclose = () => settle(dialog.returnValue === "mine");
      dialog.showModal();
    }));
    return asking;
  };
  const numbers = (card, use) => ui.shots(card).filter((shot) => use.includes(shot.dataset.sha)).map((shot) => shot.dataset.number).join(", ");
  const spoken = (card, one) => (one.rejected ? words(one) : one.use.length ? "picked " + numbers(card, one.use) : "nothing is picked") + (one.protected ? ", protected" : "");

  const send = (card, wish, wanted) => {
    const address = card.dataset.address;
    const one = standings.get(address);
    if (!one) return tell("What stands here is not known yet; wait a moment.");
    const seen = busy.get(address) || Promise.resolve(one.version);
    const done = seen.then(async (version) => {
      let answer = await post({ version, ...wish });
      while (answer.is === "conflict") {
        standings.set(address, answer.standing);
        show(card);
        if (!(await ask(card, wanted, answer.standing))) { tell(address + ": left as it is."); return answer.standing.version; }
        answer = await post({ version: answer.standing.version, ...wish });
      }
      if (answer.standing) standings.set(address, answer.standing);
      if (answer.is === "done" || answer.is === "same") { if (answer.text) tell(address + ": " + answer.text); }
      else tell(address + ": " + answer.text);
      return standings.get(address).version;
    }).finally(() => {
      if (busy.get(address) === done) { busy.delete(address); card.removeAttribute("aria-busy"); show(card); ui.changed(card); }
    });
    busy.set(address, done);
    card.setAttribute("aria-busy", "true");
  };

  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch("state?page=" + encodeURIComponent(file) + "&since=" + revision, { credentials: "omit", cache: "no-store" });
      if (!answer.ok) return ended();
      const found = await answer.json();
      trouble = found.trouble || "";
      warn(trouble);
      for (const [address, one] of Object.entries(found.standings)) take(address, one);
      revision = found.revision;
    } catch { ended(); }
  };
  const again = async () => { await poll(); setTimeout(again, POLL_MS); };

  return {
    start: () => {
      again();
      document.addEventListener("visibilitychange", poll);
    },
    decide: (card, decision) => {
      if (stale(card)) return tell(card.dataset.address + " has other pictures by now: reload the page and look again.");
      const { note, ...rest } = decision;
      const made = { address: card.dataset.address, for: card.dataset.draw, ...rest, ...(note === undefined ? {} : { reject: note }) };
      const wanted = note === undefined ? "picked " + numbers(card, decision.use) : "rejected: " + note;
      if (note === undefined) ui.paint(card, { use: decision.use, text: "", decided: true });
      send(card, { decision: made }, wanted);
    },
    undo: (card) => send(card, { address: card.dataset.address, undo: true }, "nothing decided"),
    protect: (card) => {
      const one = standings.get(card.dataset.address);
      if (one) send(card, { address: card.dataset.address, protect: !one.held }, one.held ? "not protected by hand" : "protected");
    },
    note: (card) => { const one = standings.get(card.dataset.address); return one && one.rejected ? one.note : ""; },
    decided: (card) => { const one = standings.get(card.dataset.address); return Boolean(one && (one.rejected || one.use.length)); },
  };
};
