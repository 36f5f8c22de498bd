#!/usr/bin/python3
"""Reads instances.json in the current directory until the file $STOP exists.

Fails if a read fails, or if a VM is missing or not complete. Prints the number of reads.
"""
import json
import os
import re
import sys

ALWAYS = {
    "allocated_memory_bytes", "allocated_vcpus", "cpu_seconds", "instance_id", "instance_name",
    "memory_rss_bytes", "memory_vms_bytes", "memory_utilization_ratio", "network_rx_bytes",
    "network_tx_bytes", "state",
}
DISK = {"disk_size_bytes", "disk_allocated_bytes"}
RUNNING = {
    "start_time_seconds", "cpu_guest_seconds", "cpu_wait_seconds", "memory_rss_anon_bytes",
    "memory_rss_file_bytes", "memory_rss_shmem_bytes", "memory_swap_bytes", "memory_major_faults",
    "network_rx_packets", "network_tx_packets", "network_rx_errors", "network_tx_errors",
    "network_rx_dropped", "network_tx_dropped", "vcpus",
}


def vm_id(number):
    return f"h{number:023}"


def check(instance_id, instance, constant):
    keys = set(instance)
    expected = ALWAYS | (RUNNING if instance["state"] == "running" else set())
    if keys & DISK or instance_id in constant:
        expected |= DISK
    assert keys == expected, f"{instance_id}: {sorted(keys ^ expected)}"
    assert instance["instance_id"] == instance_id
    assert instance["instance_name"] == f"vm-{int(instance_id[1:])}"
    for key in keys - {"instance_id", "instance_name", "state", "vcpus"}:
        assert type(instance[key]) in (int, float), key
    for vcpu in instance.get("vcpus", {}).values():
        assert set(vcpu) == {"cpu_seconds", "wait_seconds"}, vcpu


def read():
    with open("instances.json", encoding="utf-8") as file:
        return json.load(file)


def main():
    constant = {vm_id(number) for number in range(int(os.environ["CONSTANT_VMS"]))}
    reads = 0
    while not os.path.exists(os.environ["STOP"]):
        everything = read()
        assert set(everything) == {"instances"}
        instances = everything["instances"]
        missing = constant - set(instances)
        assert not missing, f"missing: {sorted(missing)}"
        for instance_id, instance in instances.items():
            assert re.fullmatch("h[0-9]{23}", instance_id)
            check(instance_id, instance, constant)
        reads += 1
    print(reads)
    return 0


if __name__ == "__main__":
    sys.exit(main())
