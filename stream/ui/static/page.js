// What the pages do beyond links and forms: news, keys, time zone, colours.  No page needs it to be read.
"use strict";
(() => {
  const root = document.documentElement;
  const by = (id) => document.getElementById(id);
  const store = {
    get: (name) => { try { return localStorage.getItem(name); } catch { return null; } },
    set: (name, value) => { try { localStorage.setItem(name, value); } catch { /* a private window */ } },
  };

  // Colours: what the reader chose, else what the system has.
  const chosen = store.get("tocsin-theme");
  if (chosen) root.dataset.theme = chosen;
  const turn = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    store.set("tocsin-theme", root.dataset.theme);
    document.dispatchEvent(new Event("tocsin-theme"));
  };

  // Times: the server writes UTC, and the reader may want the local zone.
  const pad = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const write = (element, local) => {
    const time = new Date(element.dateTime);
    const of = (name) => time[`get${local ? "" : "UTC"}${name}`]();
    const clock = `${pad(of("Hours"))}:${pad(of("Minutes"))}`;
    element.textContent = element.dataset.form === "clock" ? `${clock}:${pad(of("Seconds"))}` : `${months[of("Month")]} ${of("Date")}, ${clock}`;
  };
  let local = store.get("tocsin-zone") === "local";
  const zone = () => {
    const button = by("zone");
    if (button) button.textContent = local ? "Local" : "UTC";
    if (local || document.body.dataset.zoned) document.querySelectorAll("time[datetime]").forEach((element) => write(element, local));
    document.body.dataset.zoned = "yes";
  };
  const zoned = () => { local = !local; store.set("tocsin-zone", local ? "local" : "utc"); zone(); };

  // A session that has ended: the page says so, and keeps what was typed.
  const ended = async () => {
    const notice = by("ended");
    if (!notice) return;
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (answer?.status !== 401) return;
    notice.hidden = false;
    const button = by("pause");
    if (button) { button.textContent = "Not live"; button.setAttribute("aria-pressed", "true"); }
  };

  // News: the server says that something changed, and htmx asks for the page again.
  let source = null;
  let paused = false;
  const listen = () => {
    if (document.body.dataset.live !== "yes" || paused || source) return;
    source = new EventSource(`/events?since=${document.body.dataset.version}`);
    source.addEventListener("error", () => {
      if (!source || source.readyState !== EventSource.CLOSED) return;  // else it tries again by itself
      rest();
      ended();
    });
    source.addEventListener("changed", (event) => {
      document.body.dataset.version = event.data;
      document.body.dispatchEvent(new Event("tocsin-changed"));
    });
  };
  const rest = () => { if (source) { source.close(); source = null; } };
  const pause = () => {
    const button = by("pause");
    if (!button) return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    button.textContent = paused ? "Paused" : "Live";
    if (paused) rest(); else listen();
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) rest(); else listen();
  });
  addEventListener("pagehide", rest);

  // Keys: j and k walk through what can be chosen.
  const picks = () => [...document.querySelectorAll("[data-pick]")];
  const current = () => document.querySelector(".picked");
  const walk = (step) => {
    const all = picks();
    if (!all.length) return;
    const here = all.indexOf(current());
    const next = all[Math.min(Math.max(here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step, 0), all.length - 1)];
    current()?.classList.remove("picked");
    next.classList.add("picked");
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = () => { const dialog = by("keys"); if (dialog.open) dialog.close(); else dialog.showModal(); };
  const press = (selector) => {
    const element = document.querySelector(selector);
    element.click();
    // What was unfolded is to be filled in.
    if (element.matches("summary")) element.parentElement.querySelector("textarea, select, input:not([type=hidden])")?.focus();
  };
  const actions = {
    j: () => walk(1),
    k: () => walk(-1),
    c: () => current()?.querySelector("[data-around]")?.click(),
    g: () => { location.href = "/"; },
    "/": () => by("filter")?.focus(),
    p: pause,
    u: zoned,
    t: turn,
    "?": keys,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const action = actions[event.key] ?? (document.querySelector(`[data-key="${CSS.escape(event.key)}"]`) && (() => press(`[data-key="${CSS.escape(event.key)}"]`)));
    if (action) { event.preventDefault(); action(); }
  });

  document.addEventListener("DOMContentLoaded", () => {
    by("pause")?.addEventListener("click", pause);
    by("zone")?.addEventListener("click", zoned);
    by("theme")?.addEventListener("click", turn);
    by("help")?.addEventListener("click", keys);
    zone();
    listen();
  });
  document.addEventListener("htmx:after:swap", zone);
})();
