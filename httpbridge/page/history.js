// The last five minutes of every VM. Rates are computed here.

import { describe, numbersOf } from "./statistics.js";

export const SLOTS = 300;
export const SPAN_MS = 300_000;
const LONGEST_STEP_MS = 10_000; // what a rate may cover, and what a line may bridge
const START_JITTER_S = 1.5; // the start time is rounded, and the host's clock may be corrected

class Vm {
  constructor(id) {
    this.id = id;
    this.name = id;
    this.state = "";
    this.values = {}; // as in /stats, but without those that are no number
    this.rates = new Map(); // path -> what a chart shows now: a rate, or the value of a gauge
    this.series = new Map(); // path -> Float32Array with SLOTS numbers, NaN where unknown
    this.counters = new Map(); // path -> value in the last answer
    this.isGone = false;
  }

  get isRunning() {
    return Number.isFinite(this.values.start_time_seconds);
  }

  rate(path) {
    return this.rates.get(path) ?? NaN;
  }

  /// A share of all its vCPUs: 1 if all of them are busy.
  shareOfVcpus(path) {
    const { allocated_vcpus: vcpus } = this.values;
    return vcpus > 0 ? this.rate(path) / vcpus : NaN;
  }

  update(instance, elapsedMs, slot) {
    const numbers = new Map(numbersOf(instance));
    // After a restart, the counters begin again at 0.
    const began = numbers.get("start_time_seconds");
    let isContinuous = elapsedMs <= LONGEST_STEP_MS && Math.abs(began - this.values.start_time_seconds) < START_JITTER_S;
    for (const [path, before] of this.counters) {
      isContinuous &&= !(numbers.get(path) < before);
    }
    for (const series of this.series.values()) {
      series[slot] = NaN;
    }
    const counters = new Map();
    this.rates.clear();
    this.values = {};
    for (const [path, value] of numbers) {
      let shown = value;
      if (describe(path).isCounter) {
        const before = this.counters.get(path);
        shown = isContinuous && before !== undefined ? (value - before) / (elapsedMs / 1000) : NaN;
        counters.set(path, value);
      }
      this.values[path] = value;
      this.rates.set(path, shown);
      if (!this.series.has(path)) {
        this.series.set(path, new Float32Array(SLOTS).fill(NaN));
      }
      this.series.get(path)[slot] = shown;
    }
    this.counters = counters;
    this.name = typeof instance.instance_name === "string" && instance.instance_name ? instance.instance_name : this.id;
    this.state = typeof instance.state === "string" ? instance.state : "";
  }
}

export class History {
  vms = new Map();
  times = new Float64Array(SLOTS).fill(-Infinity); // of each slot, in ms
  #slot = -1;
  #lastTime = -Infinity;

  /// `instances` is what /stats has under this key, `time` when the answer arrived, in ms.
  add(instances, time) {
    const elapsed = time - this.#lastTime;
    this.#lastTime = time;
    this.#slot = (this.#slot + 1) % SLOTS;
    this.times[this.#slot] = time;
    const seen = new Map();
    for (const [id, instance] of Object.entries(instances)) {
      if (instance === null || typeof instance !== "object") continue;
      const vm = this.vms.get(id) ?? new Vm(id);
      vm.update(instance, elapsed, this.#slot);
      seen.set(id, vm);
    }
    for (const [id, vm] of this.vms) {
      vm.isGone = !seen.has(id);
    }
    this.vms = seen;
  }

  /// The index of the slot that is `back` steps older than the newest.
  #slotBefore(back) {
    return (this.#slot - back + SLOTS) % SLOTS;
  }

  /// The path of an SVG line for a series, and of the area below it. Each point is the largest of
  /// `step` values. The box is SLOTS wide and `height` high, and `full` is its upper edge.
  line(series, { height, full, step = 1 }) {
    const now = this.#lastTime;
    const parts = [];
    const areas = [];
    let start = null; // x of the first point of this part
    let [x, last] = [0, -Infinity];
    const close = () => {
      if (start !== null) areas.push(`V${height}H${start}Z`);
      if (start === x) parts.push("h0"); // a single point is a dot
      start = null;
    };
    const y = (value) => (height - (Math.min(value, full) / full) * height).toFixed(1);
    for (let back = SLOTS - 1; back >= 0; --back) {
      let value = series[this.#slotBefore(back)];
      // Groups of slots that do not depend on the present, so that a line moves but does not flicker.
      while (back > 0 && this.#slotBefore(back - 1) % step !== 0) {
        const more = series[this.#slotBefore(--back)];
        if (!(value >= more) && !Number.isNaN(more)) value = more;
      }
      const time = this.times[this.#slotBefore(back)];
      if (now - time > SPAN_MS) continue;
      if (Number.isNaN(value) || time - last > LONGEST_STEP_MS + step * 1000) {
        close();
      }
      last = time;
      if (Number.isNaN(value)) continue;
      x = (SLOTS - ((now - time) / SPAN_MS) * SLOTS).toFixed(1);
      const point = `${start === null ? "M" : "L"}${x} ${y(value)}`;
      start ??= x;
      parts.push(point);
      areas.push(point);
    }
    close();
    return { line: parts.join(""), area: areas.join("") };
  }

  largest(series) {
    let found = NaN;
    for (let slot = 0; slot < SLOTS; ++slot) {
      const isRecent = this.#lastTime - this.times[slot] <= SPAN_MS;
      if (isRecent && !(found >= series[slot]) && !Number.isNaN(series[slot])) found = series[slot];
    }
    return found;
  }
}
