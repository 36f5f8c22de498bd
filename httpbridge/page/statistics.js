// What the statistics of /stats mean here. A statistic without an entry is a gauge, so that the page
// shows new ones.

import * as format from "./format.js";

const vcpuShare = { text: format.percent, full: (vm) => vm.values.allocated_vcpus };
const oneVcpu = { text: format.percent, full: () => 1 };
const memory = { text: format.bytes };
const traffic = { text: format.bytesPerSecond };
const events = { text: format.countPerSecond };

const counter = (shape, group) => ({ ...shape, group, isCounter: true });
const gauge = (shape, group) => ({ ...shape, group, isCounter: false });

const KNOWN = {
  cpu_seconds: counter(vcpuShare, "CPU"),
  cpu_guest_seconds: counter(vcpuShare, "CPU"),
  cpu_wait_seconds: counter(vcpuShare, "CPU"),
  memory_rss_bytes: gauge(memory, "Memory"),
  memory_utilization_ratio: gauge({ text: format.percent }, "Memory"),
  memory_rss_anon_bytes: gauge(memory, "Memory"),
  memory_rss_file_bytes: gauge(memory, "Memory"),
  memory_rss_shmem_bytes: gauge(memory, "Memory"),
  memory_swap_bytes: gauge(memory, "Memory"),
  memory_vms_bytes: gauge(memory, "Memory"),
  memory_major_faults: counter(events, "Memory"),
  network_rx_bytes: counter(traffic, "Network"),
  network_tx_bytes: counter(traffic, "Network"),
  network_rx_packets: counter(events, "Network"),
  network_tx_packets: counter(events, "Network"),
  network_rx_dropped: counter(events, "Network"),
  network_tx_dropped: counter(events, "Network"),
  network_rx_errors: counter(events, "Network"),
  network_tx_errors: counter(events, "Network"),
  disk_allocated_bytes: gauge(memory, "Disk"),
};
const KNOWN_OF_VCPU = {
  cpu_seconds: counter(oneVcpu, "vCPUs"),
  wait_seconds: counter(oneVcpu, "vCPUs"),
};

export const GROUPS = ["CPU", "vCPUs", "Memory", "Network", "Disk", "Other"];

/// These change seldom or never, so the detail view shows their values only.
export const FACTS = {
  allocated_vcpus: format.number,
  allocated_memory_bytes: format.bytes,
  disk_size_bytes: format.bytes,
  start_time_seconds: (value) => (Number.isFinite(value) ? format.dateAndTime(new Date(value * 1000)) : format.NONE),
};

const UNKNOWN = gauge({ text: format.number }, "Other");

/// `path` is that of the file below the directory of the VM.
export function describe(path) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const table = path.startsWith("vcpus/") ? KNOWN_OF_VCPU : KNOWN;
  return Object.hasOwn(table, name) ? table[name] : UNKNOWN;
}

/// All numbers of an instance in /stats: pairs of a path and a value.
export function* numbersOf(instance) {
  for (const [name, value] of Object.entries(instance)) {
    if (typeof value === "number") {
      yield [name, value];
    } else if (name === "vcpus" && value !== null && typeof value === "object") {
      for (const [index, times] of Object.entries(value)) {
        for (const [key, each] of Object.entries(times ?? {})) {
          if (typeof each === "number") yield [`vcpus/${index}/${key}`, each];
        }
      }
    }
  }
}
