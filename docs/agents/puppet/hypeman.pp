# All VMs come from the external fact of ../facter/hypeman.sh. There is no such fact while nothing is mounted.
$vms = $facts.dig('hypeman', 'instances') ? {
  undef   => {},
  default => $facts['hypeman']['instances'],
}

$vms.each |$id, $vm| {
  notice("${id} ${vm['instance_name']} ${vm['state']} ${vm['cpu_seconds']}")
}
