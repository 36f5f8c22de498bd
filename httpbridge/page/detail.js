// One VM: a chart for each statistic and each vCPU, and how to read them without this page.

import * as format from "./format.js";
import { SLOTS } from "./history.js";
import { describe, FACTS, GROUPS } from "./statistics.js";
import { element, MEMORY_PARTS, setAttribute, setText, svgElement } from "./table.js";

const CHART_HEIGHT = 60;
const HEADROOM = 1.15; // above the largest value, where the scale has no natural end

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers offer the clipboard only over TLS or on localhost.
    const area = element("textarea", { value: text, className: "off-screen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/// A button that copies `text()`, and says that it did.
function copyButton(label, text, properties = {}) {
  const button = element("button", { type: "button", ...properties }, label);
  button.addEventListener("click", async () => {
    const focused = document.activeElement;
    await copy(text());
    focused?.focus({ preventScroll: true });
    document.getElementById("copied").textContent = `Copied ${text()}`;
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
  return button;
}

class Chart {
  #path;
  #area = svgElement("path", { class: "area" });
  #line = svgElement("path", { class: "line" });
  #now = element("span", { className: "number now" });
  #largest = element("span", { className: "number" });
  #svg;

  constructor(path, fileOf) {
    this.#path = path;
    this.#svg = svgElement("svg", {
      viewBox: `0 -1 ${SLOTS} ${CHART_HEIGHT + 2}`, preserveAspectRatio: "none", role: "img",
    }, svgElement("path", { class: "base", d: `M0 ${CHART_HEIGHT}H${SLOTS}` }), this.#area, this.#line);
    const name = copyButton(path, () => fileOf(path), { className: "path", title: "Copy the path of this file" });
    this.node = element("figure", { className: "chart", "data-path": path },
      element("figcaption", {}, name, this.#now),
      this.#svg,
      element("div", { className: "scale" }, element("span", {}, "5 min"), this.#largest, element("span", {}, "now")));
  }

  show(vm, history) {
    const shape = describe(this.#path);
    const series = vm.series.get(this.#path);
    const largest = history.largest(series);
    const whole = shape.full?.(vm); // what counts as 100%
    const full = whole || (Number.isFinite(largest) && largest > 0 ? largest * HEADROOM : 1);
    const text = (value) => shape.text(whole ? value / whole : value);
    const { line, area } = history.line(series, { height: CHART_HEIGHT, full });
    setAttribute(this.#line, "d", line);
    setAttribute(this.#area, "d", area);
    setText(this.#now, text(vm.isGone ? NaN : vm.rate(this.#path)));
    setText(this.#largest, Number.isFinite(largest) ? `max ${text(largest)}` : "");
    setAttribute(this.#svg, "aria-label", `${this.#path} in the last five minutes: now ${this.#now.textContent}, ${this.#largest.textContent}`);
  }
}

export class Detail {
  #history;
  #vm = null;
  #place = { stats_dir: "/run/hypeman/stats" };
  #shape = null; // which charts there are
  #charts = [];
  #hasKey = () => true;
  #node = document.getElementById("detail");
  #name = element("h2", { id: "detail-name", tabIndex: -1, dir: "auto" });
  #state = element("p", { className: "state" });
  #facts = element("dl", { className: "facts" });
  #directory = element("code", { dir: "ltr" });
  #curl = element("code", { dir: "ltr" });
  #body = element("div", { className: "charts" });

  constructor(history, { close, hasKey }) {
    this.#history = history;
    this.#hasKey = hasKey;
    const button = element("button", { type: "button", className: "close", "aria-label": "Close the details", title: "Close (Esc)" }, "×");
    button.addEventListener("click", close);
    this.#node.append(
      element("div", { className: "title" }, element("div", {}, this.#name, this.#state), button),
      this.#facts,
      element("div", { className: "copy" },
        element("span", { className: "label" }, "Files"), this.#directory, copyButton("Copy", () => this.#directory.textContent, { "aria-label": "Copy the path of the files" })),
      element("div", { className: "copy" },
        element("span", { className: "label" }, "HTTP"), this.#curl, copyButton("Copy", () => this.#curl.textContent, { "aria-label": "Copy the curl command" })),
      element("p", { id: "copied", className: "off-screen", role: "status" }),
      this.#body);
  }

  set place(place) {
    if (typeof place?.stats_dir === "string") this.#place = place;
  }

  get id() {
    return this.#vm?.id ?? null;
  }

  open(id) {
    this.#vm = this.#history.vms.get(id) ?? null;
    this.#node.hidden = !this.#vm;
    this.#shape = null;
    this.#node.scrollTop = 0;
    if (!this.#vm) return;
    this.update();
  }

  focus() {
    this.#name.focus();
  }

  #file(path) {
    return format.shellWord(`${this.#place.stats_dir.replace(/\/$/, "")}/${this.#vm.id}/${path}`);
  }

  update(now = NaN) {
    if (!this.#vm) return;
    // A VM that is back under the same ID is a new object.
    this.#vm = this.#history.vms.get(this.#vm.id) ?? this.#vm;
    const vm = this.#vm;
    setText(this.#name, vm.name);
    setText(this.#state, vm.isGone ? "This VM does not exist any more. These are its last values."
      : [vm.state, vm.isRunning && Number.isFinite(now) ? `up ${format.duration(now - vm.values.start_time_seconds)}` : "", vm.id].filter(Boolean).join(" · "));
    this.#node.classList.toggle("gone", vm.isGone);
    setText(this.#directory, this.#file(""));
    const url = `${location.origin}/instances/${encodeURIComponent(vm.id)}/stats`;
    setText(this.#curl, `curl ${format.shellWord(url)}${this.#hasKey() ? ' -H "Authorization: Bearer $HYPEMAN_API_KEY"' : ""}`);

    const paths = [...vm.series.keys()].filter((path) => vm.isRunning || path in vm.values);
    const shape = paths.join(" ");
    if (shape !== this.#shape) this.#build(paths, shape);
    for (const chart of this.#charts) chart.show(vm, this.#history);
    for (const value of this.#facts.querySelectorAll("dd")) {
      const { path } = value.dataset;
      setText(value, FACTS[path](vm.values[path]));
    }
  }

  #build(paths, shape) {
    this.#shape = shape;
    this.#charts = [];
    this.#facts.replaceChildren(...paths.filter((path) => path in FACTS).map((path) =>
      element("div", {}, element("dt", {}, path), element("dd", { "data-path": path }))));
    this.#body.replaceChildren();
    const fileOf = (path) => this.#file(path);
    for (const group of GROUPS) {
      const members = paths.filter((path) => !(path in FACTS) && describe(path).group === group);
      if (members.length === 0) continue;
      members.sort(byVcpu);
      const charts = members.map((path) => new Chart(path, fileOf));
      this.#charts.push(...charts);
      this.#body.append(element("section", {}, element("h3", {}, group), ...(group === "Memory" ? [legend()] : []),
        element("div", { className: "grid" }, ...charts.map(({ node }) => node))));
    }
    if (this.#charts.length === 0) {
      this.#body.append(element("p", { className: "notice" }, "It does not run, so there is nothing to chart."));
    }
  }
}

function byVcpu(a, b) {
  const [x, y] = [a, b].map((path) => (path.startsWith("vcpus/") ? Number(path.split("/")[1]) : 0));
  return x - y;
}

function legend() {
  return element("p", { className: "legend" }, "In the table: ", ...MEMORY_PARTS.flatMap(([name, label]) =>
    [element("i", { className: name }), ` ${label} `]));
}
