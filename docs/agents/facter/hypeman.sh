#!/bin/sh
# /etc/facter/facts.d/hypeman.sh (mode 0755): all VMs as the fact hypeman.instances
vms=$(cat /run/hypeman/stats/instances.json) && echo "{\"hypeman\": $vms}"
