// The table of VMs. Only the rows in view exist as elements, so that thousands of VMs cost no more
// than those.

import * as format from "./format.js";
import { SLOTS } from "./history.js";

const SVG = "http://www.w3.org/2000/svg";
const SPARK_HEIGHT = 20;
const ROWS_BEYOND_VIEW = 4;
const POINTER_REST_MS = 3000;

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function svgElement(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/// Changes the page only where it differs.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

export const MEMORY_PARTS = [
  ["anon", "own", "memory_rss_anon_bytes"],
  ["file", "files", "memory_rss_file_bytes"],
  ["shmem", "shared", "memory_rss_shmem_bytes"],
  ["swap", "swapped", "memory_swap_bytes"],
];

class MemoryCell {
  constructor() {
    this.parts = MEMORY_PARTS.map(([name]) => element("i", { className: name }));
    this.text = element("span", { className: "number" });
    this.nodes = [element("span", { className: "bar" }, ...this.parts), this.text];
  }

  show(vm, cell) {
    const { allocated_memory_bytes: allocated, memory_rss_bytes: resident } = vm.values;
    const sizes = MEMORY_PARTS.map(([, , path]) => vm.values[path] ?? 0);
    const full = Math.max(allocated || 0, sizes.reduce((sum, size) => sum + size, 0)) || 1;
    this.parts.forEach((part, index) => {
      const width = `${((sizes[index] / full) * 100).toFixed(1)}%`;
      if (part.style.width !== width) part.style.width = width;
    });
    setText(this.text, `${vm.isRunning ? format.bytes(resident) : format.NONE} / ${format.bytes(allocated)}`);
    const split = MEMORY_PARTS.map(([, label], index) => `${label} ${format.bytes(sizes[index])}`).join(", ");
    setAttribute(cell, "title", vm.isRunning ? `${split}; ${format.bytes(allocated)} allocated` : "");
  }
}

class CpuCell {
  constructor() {
    this.area = svgElement("path", { class: "area" });
    this.line = svgElement("path", { class: "line" });
    this.text = element("span", { className: "number" });
    const spark = svgElement("svg", {
      class: "spark", viewBox: `0 -1 ${SLOTS} ${SPARK_HEIGHT + 2}`, preserveAspectRatio: "none", "aria-hidden": "true",
    }, svgElement("path", { class: "base", d: `M0 ${SPARK_HEIGHT}H${SLOTS}` }), this.area, this.line);
    this.nodes = [spark, this.text];
  }

  show(vm, cell, history) {
    const series = vm.series.get("cpu_seconds");
    const full = vm.values.allocated_vcpus || 1;
    const { line, area } = vm.isRunning && series ? history.line(series, { height: SPARK_HEIGHT, full, step: 3 }) : { line: "", area: "" };
    setAttribute(this.line, "d", line);
    setAttribute(this.area, "d", area);
    setText(this.text, format.percent(vm.shareOfVcpus("cpu_seconds")));
    setAttribute(cell, "title", `of ${format.number(vm.values.allocated_vcpus)} vCPUs`);
  }
}

class TextCell {
  constructor(column) {
    this.column = column;
    this.text = element("span", { dir: "auto" });
    this.nodes = [this.text];
  }

  show(vm, cell, history, now) {
    const text = this.column.text(vm, now);
    setText(this.text, text);
    if (this.column.hasTitle) setAttribute(cell, "title", text);
    if (this.column.mark) setAttribute(cell, "data-mark", this.column.mark(vm));
  }
}

const MUCH_STEAL = 0.1; // of the time
const ifRunning = (vm, value) => (vm.isRunning ? value : NaN);
const cpu = (vm) => ifRunning(vm, vm.shareOfVcpus("cpu_seconds"));
const steal = (vm) => ifRunning(vm, vm.shareOfVcpus("cpu_wait_seconds"));
const uptime = (vm, now) => now - vm.values.start_time_seconds;

/// `value` is what the table is sorted by: in descending order first if it is a number.
export const COLUMNS = [
  { key: "name", title: "Name", value: (vm) => vm.name, text: (vm) => vm.name, hasTitle: true },
  { key: "state", title: "State", value: (vm) => vm.state, text: (vm) => vm.state, mark: (vm) => vm.state },
  { key: "cpu", title: "CPU", hint: "CPU time that the VM uses now, as a part of its vCPUs; the line shows five minutes", value: cpu, Cell: CpuCell },
  {
    key: "steal", title: "Steal", hint: "Time in which its vCPUs were ready to run and had no CPU", value: steal,
    text: (vm) => format.percent(steal(vm)), mark: (vm) => (steal(vm) >= MUCH_STEAL ? "much" : ""),
  },
  {
    key: "memory", title: "Memory", hint: "Resident and allocated memory; the bar shows own pages, pages of files, shared pages and swap",
    value: (vm) => ifRunning(vm, vm.values.memory_rss_bytes), Cell: MemoryCell,
  },
  { key: "rx", title: "Net in", value: (vm) => ifRunning(vm, vm.rate("network_rx_bytes")), text: (vm) => format.bytesPerSecond(ifRunning(vm, vm.rate("network_rx_bytes"))) },
  { key: "tx", title: "Net out", value: (vm) => ifRunning(vm, vm.rate("network_tx_bytes")), text: (vm) => format.bytesPerSecond(ifRunning(vm, vm.rate("network_tx_bytes"))) },
  {
    key: "disk", title: "Disk", hint: "What the writable disk takes on the host, and its size", value: (vm) => vm.values.disk_allocated_bytes ?? NaN,
    text: (vm) => `${format.bytes(vm.values.disk_allocated_bytes)} / ${format.bytes(vm.values.disk_size_bytes)}`,
  },
  { key: "uptime", title: "Uptime", value: uptime, text: (vm, now) => format.duration(uptime(vm, now)) },
];

class Row {
  constructor() {
    this.node = element("div", { role: "row", className: "row" });
    this.cells = COLUMNS.map((column) => {
      const content = column.Cell ? new column.Cell() : new TextCell(column);
      const node = element("div", { role: "gridcell", className: `cell ${column.key}` }, ...content.nodes);
      this.node.append(node);
      return { content, node };
    });
  }

  show(vm, history, now) {
    this.node.dataset.id = vm.id;
    setAttribute(this.node, "data-running", String(vm.isRunning));
    for (const { content, node } of this.cells) content.show(vm, node, history, now);
  }
}

export class Table {
  #history;
  #order = { key: "cpu", isDescending: true };
  #filter = "";
  #vms = []; // those that the filter lets through, in their order
  #rows = new Map(); // ID -> Row
  #spare = [];
  #activeId = null; // the row that has the focus, or will have it
  #openId = null;
  #now = 0;
  #pointerMoved = -Infinity;
  #head = document.getElementById("head");
  #scroller = document.getElementById("scroller");
  #canvas = element("div", { className: "canvas", role: "presentation" });
  #grid = document.getElementById("table");
  #empty = document.getElementById("empty");
  #matches = document.getElementById("matches");
  #select = document.getElementById("order");

  constructor(history, open) {
    this.#history = history;
    this.open = open;
    this.#scroller.append(this.#canvas);
    this.#makeHead();
    setAttribute(this.#grid, "aria-colcount", String(COLUMNS.length));
    this.#scroller.addEventListener("scroll", () => this.#draw(), { passive: true });
    new ResizeObserver(() => this.#draw()).observe(this.#scroller);
    this.#scroller.addEventListener("keydown", (event) => this.#onKey(event));
    this.#scroller.addEventListener("pointermove", () => { this.#pointerMoved = performance.now(); });
    this.#scroller.addEventListener("pointerleave", () => { this.#pointerMoved = -Infinity; });
    this.#scroller.addEventListener("focusin", ({ target }) => {
      const row = target.closest(".row");
      if (row) this.#activate(row.dataset.id);
    });
    this.#scroller.addEventListener("click", ({ target }) => {
      const row = target.closest(".row");
      if (row) {
        this.#activate(row.dataset.id);
        this.open(row.dataset.id);
      }
    });
  }

  #makeHead() {
    const row = element("div", { role: "row", className: "row head", "aria-rowindex": "1" });
    for (const column of COLUMNS) {
      const button = element("button", { type: "button", title: column.hint ?? "" }, column.title);
      button.addEventListener("click", () => this.#sortBy(column.key));
      row.append(element("div", { role: "columnheader", className: `cell ${column.key}`, "data-key": column.key }, button));
      this.#select.append(element("option", { value: column.key }, column.title));
    }
    this.#select.addEventListener("change", () => this.#sortBy(this.#select.value));
    this.#head.append(row);
    this.#markOrder();
  }

  #markOrder() {
    for (const cell of this.#head.querySelectorAll(".cell")) {
      const isKey = cell.dataset.key === this.#order.key;
      setAttribute(cell, "aria-sort", isKey ? (this.#order.isDescending ? "descending" : "ascending") : "none");
    }
    this.#select.value = this.#order.key;
  }

  #sortBy(key) {
    const isText = key === "name" || key === "state";
    this.#order = { key, isDescending: this.#order.key === key ? !this.#order.isDescending : !isText };
    this.#markOrder();
    this.#pointerMoved = -Infinity;
    this.update(this.#now);
    this.#scroller.scrollTop = 0;
  }

  set filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#pointerMoved = -Infinity;
    this.update(this.#now);
    this.#scroller.scrollTop = 0;
  }

  set openId(id) {
    this.#openId = id;
    this.#draw();
  }

  /// Shows the present contents of the history. `now` is the time of the host, in seconds.
  update(now) {
    this.#now = now;
    const wanted = [...this.#history.vms.values()].filter(({ id, name }) =>
      name.toLowerCase().includes(this.#filter) || id.startsWith(this.#filter));
    // A row must not move away while somebody points at it.
    const isPointedAt = performance.now() - this.#pointerMoved < POINTER_REST_MS;
    this.#vms = isPointedAt ? this.#inLastOrder(wanted) : this.#sorted(wanted);
    setAttribute(this.#grid, "aria-rowcount", String(this.#vms.length + 1));
    this.#showEmpty();
    this.#draw({ refresh: true });
  }

  #sorted(vms) {
    const column = COLUMNS.find(({ key }) => key === this.#order.key);
    const sign = this.#order.isDescending ? -1 : 1;
    // As precise as the table shows it, so that idle VMs keep their places.
    const valueOf = (vm) => {
      const value = column.value(vm, this.#now);
      if (typeof value !== "number") return value;
      return column.key === "cpu" || column.key === "steal" ? Math.round(value * 1000) : value;
    };
    const isMissing = (value) => Number.isNaN(value);
    const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1);
    const keyed = vms.map((vm) => ({ vm, value: valueOf(vm) }));
    keyed.sort((a, b) => {
      if (isMissing(a.value) || isMissing(b.value)) {
        // What has no value comes last in both directions, those that run first among them.
        return isMissing(a.value) - isMissing(b.value) || b.vm.isRunning - a.vm.isRunning || byName(a.vm, b.vm);
      }
      if (a.value !== b.value) return a.value < b.value ? -sign : sign;
      return byName(a.vm, b.vm);
    });
    return keyed.map(({ vm }) => vm);
  }

  #inLastOrder(vms) {
    const place = new Map(this.#vms.map(({ id }, index) => [id, index]));
    return vms.sort((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || 0);
  }

  #showEmpty() {
    const total = this.#history.vms.size;
    const isEmpty = this.#vms.length === 0;
    this.#empty.hidden = !isEmpty;
    this.#grid.hidden = isEmpty;
    setText(this.#empty, total === 0
      ? "There is no VM on this host yet. It appears here as soon as Hypeman has created one."
      : `No VM has “${this.#filter}” in its name.`);
    setText(this.#matches, this.#filter ? `${this.#vms.length} of ${total}` : "");
  }

  get #rowHeight() {
    return parseFloat(getComputedStyle(this.#canvas).getPropertyValue("--row-height")) || 34;
  }

  #indexOf(id) {
    return this.#vms.findIndex((vm) => vm.id === id);
  }

  /// Makes, moves and removes row elements. Fills only new ones, or all of them with `refresh`.
  #draw({ refresh = false } = {}) {
    const height = this.#rowHeight;
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / height) - ROWS_BEYOND_VIEW);
    const last = Math.min(this.#vms.length, Math.ceil((this.#scroller.scrollTop + this.#scroller.clientHeight) / height) + ROWS_BEYOND_VIEW);
    this.#canvas.style.height = `${this.#vms.length * height}px`;
    const wanted = new Map();
    for (let index = first; index < last; ++index) wanted.set(this.#vms[index].id, index);
    const activeIndex = this.#indexOf(this.#activeId);
    const hasFocus = this.#scroller.contains(document.activeElement);
    if (activeIndex >= 0) {
      wanted.set(this.#activeId, activeIndex); // keeps the focus, also out of view
    } else {
      this.#activeId = this.#vms[first]?.id ?? null;
    }
    for (const [id, row] of this.#rows) {
      if (!wanted.has(id)) {
        this.#rows.delete(id);
        this.#spare.push(row);
      }
    }
    for (const [id, index] of wanted) {
      let row = this.#rows.get(id);
      const isNew = !row;
      if (isNew) {
        row = this.#spare.pop() ?? new Row();
        this.#rows.set(id, row);
      }
      if (!row.node.isConnected) this.#canvas.append(row.node);
      if (isNew || refresh) row.show(this.#vms[index], this.#history, this.#now);
      const place = `translateY(${index * height}px)`;
      if (row.node.style.transform !== place) row.node.style.transform = place;
      setAttribute(row.node, "aria-rowindex", String(index + 2));
      setAttribute(row.node, "tabindex", id === this.#activeId ? "0" : "-1");
      setAttribute(row.node, "aria-selected", String(id === this.#openId));
    }
    for (const { node } of this.#spare) node.remove();
    if (hasFocus && !this.#scroller.contains(document.activeElement)) {
      (this.#rows.get(this.#activeId)?.node ?? this.#scroller).focus({ preventScroll: true });
    }
  }

  #activate(id) {
    if (id === this.#activeId) return;
    this.#rows.get(this.#activeId)?.node.setAttribute("tabindex", "-1");
    this.#activeId = id;
    this.#rows.get(id)?.node.setAttribute("tabindex", "0");
  }

  /// Gives the focus to a row, and brings it into view.
  focusRow(id = this.#activeId) {
    const index = Math.max(0, this.#indexOf(id));
    if (this.#vms.length === 0) return;
    this.#activeId = this.#vms[index].id;
    const height = this.#rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    if (index * height < scrollTop) this.#scroller.scrollTop = index * height;
    if ((index + 1) * height > scrollTop + clientHeight) this.#scroller.scrollTop = (index + 1) * height - clientHeight;
    this.#draw();
    this.#rows.get(this.#activeId).node.focus({ preventScroll: true });
  }

  #onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / this.#rowHeight) - 1);
    const last = this.#vms.length - 1;
    const index = this.#indexOf(this.#activeId);
    const target = {
      ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: last,
    }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      this.focusRow(this.#vms[Math.min(last, Math.max(0, target))]?.id);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (index >= 0) this.open(this.#activeId);
    }
  }
}
