# One value of one VM, only with "puppet apply": file() reads where the catalog is compiled. It keeps the newline, so
# strip it. It fails if the VM is not there.
$rss = Integer(strip(file('/run/hypeman/stats/by-name/my-web-server/memory_rss_bytes')))
notice("my-web-server memory_rss_bytes ${rss}")
