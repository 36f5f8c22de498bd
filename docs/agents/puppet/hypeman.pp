# All VMs come from the external fact of ../facter/hypeman.sh.
$facts['hypeman']['instances'].each |$id, $vm| {
  notice("${id} ${vm['instance_name']} ${vm['state']} ${vm['cpu_seconds']}")
}

# One value of one VM. file() keeps the newline, so strip it. It reads where the catalog is compiled: on the host
# only with "puppet apply".
$rss = Integer(strip(file('/run/hypeman/stats/by-name/my-web-server/memory_rss_bytes')))
notice("my-web-server memory_rss_bytes ${rss}")
