// Services over time on a canvas: importance as colour, incidents as bars, changes as marks, blind times as bands.
"use strict";
(() => {
  const NAMES = 168;
  const LANE = 20;
  const TOP = 22;
  let data = null;
  let brush = null;
  let box = null;

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("canvas").getContext("2d");
    const of = (name) => {
      // light-dark() is resolved only where it is used: ask an element that uses the variable.
      const element = document.querySelector(`[data-colour="${name}"]`);
      probe.fillStyle = element ? getComputedStyle(element).color : style.color;
      return probe.fillStyle;
    };
    return Object.fromEntries(["text", "quiet", "rule", "rail", "accent", "critical", "error", "warning"].map((n) => [n, of(n)]));
  };
  const time = (text) => Date.parse(text);
  const pad = (n) => String(n).padStart(2, "0");
  const local = () => document.getElementById("zone")?.textContent === "Local";
  const clock = (ms, long) => {
    const t = new Date(ms);
    const get = (name) => t[`get${local() ? "" : "UTC"}${name}`]();
    const day = long ? `${get("FullYear")}-${pad(get("Month") + 1)}-${pad(get("Date"))} ` : "";
    return `${day}${pad(get("Hours"))}:${pad(get("Minutes"))}`;
  };
  const steps = [1, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440, 2880, 10080].map((minutes) => minutes * 60000);

  const layout = (canvas) => {
    const width = canvas.clientWidth;
    const names = Math.min(NAMES, Math.round(width * 0.34));
    return { width, names, left: names, right: width - 6, from: time(data.from), to: time(data.to), lanes: data.lanes.length };
  };
  const x = (l, ms) => l.left + ((ms - l.from) / (l.to - l.from)) * (l.right - l.left);
  const ms = (l, px) => l.from + ((Math.min(Math.max(px, l.left), l.right) - l.left) / (l.right - l.left)) * (l.to - l.from);

  const draw = () => {
    const canvas = document.querySelector("#lanes canvas");
    if (!canvas || !data) return;
    const l = layout(canvas);
    const height = TOP + l.lanes * LANE + 4;
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(l.width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
    const c = canvas.getContext("2d");
    const colour = colours();
    c.scale(ratio, ratio);
    c.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    c.textBaseline = "middle";
    axis(c, l, colour, height);
    data.lanes.forEach((lane, n) => row(c, l, colour, lane, n));
    bands(c, l, colour, height);
    marks(c, l, colour, height);
    bars(c, l, colour);
    if (brush) {
      c.globalAlpha = 0.18;
      c.fillStyle = colour.accent;
      c.fillRect(Math.min(brush.a, brush.b), TOP - 4, Math.abs(brush.b - brush.a), height);
      c.globalAlpha = 1;
    }
    box = l;
    canvas.dataset.lanes = String(l.lanes);
  };

  const axis = (c, l, colour, height) => {
    const step = steps.find((s) => (l.to - l.from) / s <= (l.right - l.left) / 70) ?? steps.at(-1);
    c.fillStyle = colour.quiet;
    c.strokeStyle = colour.rule;
    c.textAlign = "center";
    for (let t = Math.ceil(l.from / step) * step; t < l.to; t += step) {
      const at = Math.round(x(l, t)) + 0.5;
      c.beginPath();
      c.moveTo(at, TOP - 4);
      c.lineTo(at, height);
      c.stroke();
      const label = step >= 86400000 ? clock(t, true).slice(5, 10) : clock(t, false);
      if (at > l.left + 18 && at < l.right - 18) c.fillText(label, at, 9);
    }
  };

  const row = (c, l, colour, lane, n) => {
    const y = TOP + n * LANE;
    c.textAlign = "left";
    c.fillStyle = colour.text;
    let name = lane.name;
    while (name.length > 3 && c.measureText(name).width > l.names - 10) name = `${name.slice(0, -2)}…`;
    c.fillText(name, 0, y + LANE / 2);
    const width = (l.right - l.left) / lane.cells.length;
    for (let i = 0; i < lane.cells.length; i += 1) {
      const level = lane.cells.charCodeAt(i) - 48;
      if (level < 1) continue;
      c.fillStyle = level > 6 ? colour.critical : level > 3 ? colour.error : colour.warning;
      c.globalAlpha = 0.34 + 0.05 * level;
      // Whole pixels, or neighbours would show a seam.
      const a = Math.round(l.left + i * width);
      c.fillRect(a, y + 7, Math.max(Math.round(l.left + (i + 1) * width) - a, 1), LANE - 10);
    }
    c.globalAlpha = 1;
  };

  const bands = (c, l, colour, height) => {
    for (const one of data.blind) {
      const a = Math.max(x(l, time(one.from)), l.left);
      const b = Math.min(x(l, time(one.to)), l.right);
      c.save();
      c.beginPath();
      c.rect(a, TOP - 2, Math.max(b - a, 2), height);
      c.clip();
      c.globalAlpha = 0.35;
      c.strokeStyle = colour.quiet;
      for (let at = a - height; at < b; at += 7) {
        c.beginPath();
        c.moveTo(at, height);
        c.lineTo(at + height, 0);
        c.stroke();
      }
      c.restore();
    }
  };

  const marks = (c, l, colour, height) => {
    c.strokeStyle = colour.accent;
    c.fillStyle = colour.accent;
    for (const change of data.changes) {
      const at = Math.round(x(l, time(change.time))) + 0.5;
      c.setLineDash([3, 3]);
      c.beginPath();
      c.moveTo(at, TOP - 4);
      c.lineTo(at, height);
      c.stroke();
      c.setLineDash([]);
      c.beginPath();
      c.moveTo(at - 4, TOP - 8);
      c.lineTo(at + 4, TOP - 8);
      c.lineTo(at, TOP - 1);
      c.fill();
    }
  };

  const bars = (c, l, colour) => {
    // The worst are drawn last, above the others.
    for (const incident of [...data.incidents].reverse()) {
      c.fillStyle = colour[incident.severity];
      for (const [lane, from, to] of incident.bars) {
        const a = Math.max(x(l, from), l.left);
        const b = Math.min(x(l, incident.open ? Math.max(to, from) : to), l.right);
        c.fillRect(a, TOP + lane * LANE + 2, Math.max(b - a, 4), 4);
      }
    }
  };

  const hit = (px, py) => {
    if (!box || !data) return null;
    const lane = Math.floor((py - TOP) / LANE);
    const when = ms(box, px);
    const slack = ((box.to - box.from) / (box.right - box.left)) * 5;
    return data.incidents.find((one) => one.bars.some(([n, from, to]) => n === lane && when >= from - slack && when <= to + slack)) ?? null;
  };
  const near = (list, px) => {
    const slack = ((box.to - box.from) / (box.right - box.left)) * 5;
    const when = ms(box, px);
    return list.find((one) => when >= time(one.from ?? one.time) - slack && when <= time(one.to ?? one.time) + slack) ?? null;
  };

  const told = (event) => {
    const note = document.getElementById("lane-note");
    const rect = event.target.getBoundingClientRect();
    const px = event.clientX - rect.left;
    const py = event.clientY - rect.top;
    const incident = hit(px, py);
    const lane = data.lanes[Math.floor((py - TOP) / LANE)];
    const change = near(data.changes, px);
    const blind = near(data.blind, px);
    event.target.classList.toggle("on-incident", Boolean(incident));
    const parts = [clock(ms(box, px), true)];
    if (lane) parts.push(lane.name);
    if (incident) parts.push(`${incident.severity}: ${incident.title}`);
    if (change) parts.push(`change: ${change.text}`);
    if (blind) parts.push(`blind: ${blind.why}`);
    note.textContent = parts.join(" · ");
  };

  const go = (from, to) => {
    const query = new URLSearchParams(location.search);
    query.set("since", new Date(from).toISOString().replace(/\.\d+Z$/, "Z"));
    query.set("until", new Date(to).toISOString().replace(/\.\d+Z$/, "Z"));
    query.delete("page");
    location.search = query;
  };

  const wire = (canvas) => {
    canvas.addEventListener("pointerdown", (event) => {
      const px = event.clientX - canvas.getBoundingClientRect().left;
      brush = { a: px, b: px };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!data) return;
      if (brush) { brush.b = event.clientX - canvas.getBoundingClientRect().left; draw(); }
      told(event);
    });
    canvas.addEventListener("pointercancel", () => { brush = null; draw(); });
    canvas.addEventListener("pointerup", (event) => {
      const was = brush;
      brush = null;
      if (!data || !was) return;
      if (Math.abs(was.b - was.a) > 8) { go(ms(box, Math.min(was.a, was.b)), ms(box, Math.max(was.a, was.b))); return; }
      const rect = canvas.getBoundingClientRect();
      const incident = hit(event.clientX - rect.left, event.clientY - rect.top);
      if (incident) location.href = `/incidents/${incident.id}`; else draw();
    });
  };

  let asked = false;
  const load = async () => {
    if (asked || !document.querySelector("#lanes canvas")) return;
    asked = true;
    try {
      const answer = await fetch(`/lanes.json${location.search}`);
      if (answer.ok) {
        data = await answer.json();
        const section = document.getElementById("lanes");
        // The way back must stay where a range holds nothing.
        section.hidden = data.lanes.length === 0 && !/since|until/.test(location.search);
        if (!data.lanes.length) document.getElementById("lane-note").textContent = "Nothing was unusual in this range.";
        document.getElementById("lane-hidden").textContent = data.hidden ? `${data.hidden} more services had less trouble.` : "";
        draw();
      }
    } finally {
      asked = false;
    }
  };

  let later = 0;
  document.addEventListener("DOMContentLoaded", () => {
    const canvas = document.querySelector("#lanes canvas");
    if (!canvas) return;
    wire(canvas);
    load();
    new ResizeObserver(draw).observe(canvas.parentElement);
    // A busy hour brings news every second, and the lanes hardly change by it.
    document.body.addEventListener("tocsin-changed", () => { clearTimeout(later); later = setTimeout(load, 1500); });
    document.addEventListener("tocsin-theme", draw);
    document.getElementById("zone")?.addEventListener("click", () => setTimeout(draw));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  });
})();
