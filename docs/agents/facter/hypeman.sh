#!/bin/sh
# /etc/facter/facts.d/hypeman.sh (mode 0755): all VMs as the fact hypeman.instances; no fact while nothing is mounted
vms=$(cat /run/hypeman/stats/instances.json) && printf '{"hypeman": %s}\n' "$vms"
