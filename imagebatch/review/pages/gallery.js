(() => {
  const page = document.body.dataset;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const cards = $$(".card");
  const items = cards.length ? cards : $$(".asset");

  // What is decided here; `keeper` knows where it goes -----------------------------------------------------------------
  const shots = (card) => $$(".shot", card);
  const chosen = (card) => shots(card).filter((shot) => shot.classList.contains("picked")).map((shot) => shot.dataset.sha);
  const original = (card) => shots(card).filter((shot) => "was" in shot.dataset).map((shot) => shot.dataset.sha);
  const same = (a, b) => a.length === b.length && a.every((one) => b.includes(one));
  const paint = (card, { use, text, decided }) => {
    for (const shot of shots(card)) {
      const on = use.includes(shot.dataset.sha);
      shot.classList.toggle("picked", on);
      const button = $(".pick", shot);
      if (button) button.setAttribute("aria-pressed", String(on));
    }
    const waits = $(".state.unpicked", card);
    if (waits) waits.hidden = decided;
    const mark = $(".chosen", card);
    if (mark) { mark.hidden = !text; mark.textContent = text; }
  };
  const pick = (card, number) => {
    const shot = shots(card).find((one) => one.dataset.number === String(number));
    if (!shot || !shot.dataset.sha) return tell(card.dataset.address + " has no picture " + number + " here that could be picked.");
    let use = [shot.dataset.sha];
    if ("several" in card.dataset) {
      const now = chosen(card);
      use = now.includes(shot.dataset.sha) ? now.filter((one) => one !== shot.dataset.sha) : [...now, shot.dataset.sha];
    }
    if (use.length) kept.decide(card, { use }); else kept.undo(card);
  };
  const reject = (card) => {
    if (!shots(card).some((shot) => shot.dataset.sha)) return tell("There is no picture yet that could be rejected.");
    const dialog = $("#reject");
    const seen = shots(card).map((shot) => shot.dataset.sha).filter(Boolean);
    $("#reject-address").textContent = card.dataset.address;
    const note = $("#reject-note");
    note.value = kept.note(card);
    dialog.returnValue = "";
    dialog.onclose = () => { if (dialog.returnValue === "yes") kept.decide(card, { seen, note: note.value.trim().slice(0, 2000) }); };
    dialog.showModal();
    note.onkeydown = (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); $("#reject button[value=yes]").click(); }
    };
    note.focus();
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
    const waits = (card) => words(card.dataset.states).includes("unpicked") && !kept.decided(card);
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

  // Two pictures side by side -----------------------------------------------------------------------------------------
  const comparing = $("#compare");
  const sides = $$(".side", comparing);
  let pair = [0, 1];
  const beside = (card) => {
    viewed = $$(".shot a", card);
    if (viewed.length < 2) return tell("There are no two pictures of " + card.dataset.address + " here.");
    go(card);
    const picked = Math.max(0, viewed.findIndex((link) => link.parentElement.classList.contains("picked")));
    pair = [picked, (picked + 1) % viewed.length];
    drawPair();
    if (!comparing.open) comparing.showModal();
  };
  const other = (side, by) => {
    do pair[side] = (pair[side] + by + viewed.length) % viewed.length; while (pair[side] === pair[1 - side]);
    drawPair();
  };
  const drawPair = () => {
    $("#compare-title").textContent = here.dataset.address;
    sides.forEach((figure, side) => {
      const link = viewed[pair[side]];
      const shot = link.parentElement;
      const large = $("img", figure);
      large.onerror = () => { large.onerror = null; large.src = $("img", link).src; };
      if (large.src !== link.href) large.src = link.href;
      large.alt = $("img", link).alt;
      const on = shot.classList.contains("picked");
      const button = $(".choose", figure);
      button.textContent = (on ? "picked " : "pick ") + shot.dataset.number;
      button.setAttribute("aria-pressed", String(on));
      button.disabled = !shot.dataset.sha;
      for (const turn of $$("[data-by]", figure)) turn.disabled = viewed.length < 3;
    });
  };
  comparing.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const side = sides.findIndex((figure) => figure.contains(event.target));
    if (!button || side < 0) { if (event.target === comparing) comparing.close(); return; }
    if (button.dataset.by) other(side, Number(button.dataset.by));
    else { pick(here, viewed[pair[side]].parentElement.dataset.number); drawPair(); }
  });
  const compareKey = (key) => {
    if (key === "ArrowRight" || key === "j") other(1, 1);
    else if (key === "ArrowLeft" || key === "k") other(1, -1);
    else if (key === "ArrowDown") other(0, 1);
    else if (key === "ArrowUp") other(0, -1);
    else if (/^[1-9]$/.test(key)) { pick(here, Number(key)); drawPair(); }
    else if (key === "c") comparing.close();
    else return false;
    return true;
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
    if (comparing.open) { if (compareKey(event.key)) event.preventDefault(); return; }
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
    else if (onCard && event.key === "0") kept.undo(here);
    else if (onCard && event.key === "x") reject(here);
    else if (onCard && event.key === "c") beside(here);
    else if (onCard && event.key === "p" && kept.protect) kept.protect(here);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    const card = event.target.closest(".card");
    if (button && card) { pick(card, Number(button.textContent)); return go(card); }
    const act = event.target.closest(".acts button");
    if (act && card) {
      go(card);
      if (act.matches(".reject")) reject(card); else if (act.matches(".beside")) beside(card); else kept.protect(card);
      return;
    }
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

  $("#ask").addEventListener("click", () => $("#help").showModal());
  for (const field of Object.values(fields)) field.addEventListener("input", filter);
  const assets = $("#by-asset");
  if (assets) assets.addEventListener("input", () => { if (assets.value) location.href = assets.value; });
  options(fields.state, "states");
  options(fields.provider, "provider");
  options(fields.tag, "tags");
  for (const button of $$(".pick")) button.disabled = !button.parentElement.dataset.sha;
  for (const tool of $$(".scripted")) tool.hidden = false;
  const changed = (card) => {
    if (card !== here) return;
    if (comparing.open) drawPair();
    if (viewer.open) lookAt(viewedAt);
  };
  const kept = keeper({ page, $, all: $$, cards, shots, original, same, paint, tell, changed });
  kept.start();
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target) go(target);
})();
