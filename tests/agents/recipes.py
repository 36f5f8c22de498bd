"""The recipes of docs/agents, each run by its agent. A recipe's once() runs the agent once, or looks once at what a
running agent has gathered, and returns the values that the agent saw. It raises if the agent reports a problem."""

import json
import queue
import re
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path

from host import KEY, end, until

DOCS = Path(__file__).resolve().parents[2] / "docs/agents"
VM = "my-web-server"  # the VM that the recipes name
STATS = "/run/hypeman/stats"


class Recipe:
    """Values are {"<id>/<statistic>": number or text}."""

    def __init__(self, root):
        self.root = root
        self.install()

    def install(self):
        """Puts the files where the recipe says."""

    def start(self, vm):
        """Starts an agent that keeps running. `vm` is the ID of the VM that the recipes name."""
        self.vm = vm

    def stop(self):
        pass

    def once(self):
        raise NotImplementedError


def flat(instances):
    """The values of instances.json. The statistics of vCPUs are left out."""
    return {f"{one}/{name}": value for one, vm in instances.items() for name, value in vm.items() if name != "vcpus"}


class Ansible(Recipe):
    def install(self):
        self.root.install(DOCS / "ansible/hypeman.fact", "/etc/ansible/facts.d/hypeman.fact", 0o755)
        self.root.install(DOCS / "ansible/playbook.yml", "/home/agent/playbook.yml")

    def once(self):
        report = "/home/agent/report.json"
        self.root.run(["ansible-playbook", "--inventory", "localhost,", "--connection", "local", "--extra-vars",
                       json.dumps({"hypeman_stats_token": KEY, "report": report}), "/home/agent/playbook.yml"], "agent")
        answers = json.loads(self.root.read(report))
        self.ways = [flat(answers[way]["instances"]) for way in ("slurp", "fact", "uri")]
        return {**self.ways[0], f"{self.vm}/memory_rss_bytes": int(answers["lookup"])}


class Facter(Recipe):
    def install(self):
        self.root.install(DOCS / "facter/hypeman.sh", "/etc/facter/facts.d/hypeman.sh", 0o755)

    def once(self):
        return flat(json.loads(self.root.run(["facter", "--json", "hypeman"]))["hypeman"]["instances"])


class Puppet(Recipe):
    def install(self):
        self.root.install(DOCS / "facter/hypeman.sh", "/etc/facter/facts.d/hypeman.sh", 0o755)
        for name in ("hypeman.pp", "one-value.pp"):
            self.root.install(DOCS / "puppet" / name, f"/root/{name}")

    def once(self):
        shown = "".join(self.root.run(["puppet", "apply", "--color=false", f"/root/{name}"])
                        for name in ("hypeman.pp", "one-value.pp"))
        values = {}
        for one, name, state, cpu in re.findall(r"Scope\(Class\[main\]\): (\w{24}) (\S+) (\S+) (\S+)", shown):
            values |= {f"{one}/instance_name": name, f"{one}/state": state, f"{one}/cpu_seconds": float(cpu)}
        return values | {f"{self.vm}/memory_rss_bytes": int(re.search(r"memory_rss_bytes (\d+)", shown)[1])}


class NodeExporter(Recipe):
    url = "http://127.0.0.1:9100/metrics"

    def install(self):
        self.root.install(DOCS / "prometheus/add-to-node-exporter", "/root/add-to-node-exporter", 0o755)
        self.root.run(["/root/add-to-node-exporter"])

    def start(self, vm):
        super().start(vm)
        self.process = self.root.start(["prometheus-node-exporter", "--web.listen-address=127.0.0.1:9100",
                                        "--collector.disable-defaults", "--collector.textfile"], "prometheus",
                                       subprocess.DEVNULL)

        def answers():
            try:
                return self.once()
            except OSError:
                return None
        until(answers, "node_exporter answers")

    def stop(self):
        end(self.process)

    def once(self):
        with urllib.request.urlopen(self.url, timeout=60) as answer:
            text = answer.read().decode()
        if "\nnode_textfile_scrape_error 0\n" not in text:
            raise AssertionError(text)
        values = {}
        for family, name in (("hypeman_vm_cpu_seconds_total", "cpu_seconds"),
                             ("hypeman_vm_memory_rss_bytes", "memory_rss_bytes"),
                             ("hypeman_vm_network_rx_bytes_total", "network_rx_bytes")):
            for one, value in re.findall(rf'^{family}{{instance_id="(\w+)",.*}} (\S+)$', text, re.MULTILINE):
                values[f"{one}/{name}"] = float(value)
        return values


class Zabbix(Recipe):
    def install(self):
        self.root.install(DOCS / "zabbix/hypeman.conf", "/etc/zabbix/zabbix_agentd.conf.d/hypeman.conf")
        rows = [line.split("\t") for line in (DOCS / "zabbix/items.tsv").read_text().splitlines()]
        self.discovery, self.one_value, self.one_vm, self.whole_host = [row[:2] for row in rows[1:]]

    def _item(self, key):
        """What the agent answers for an item of its server."""
        shown = self.root.run(["zabbix_agentd", "-t", key], "zabbix")
        found = re.fullmatch(re.escape(key) + r"\s+\[[a-z]\|(.*)\]\n", shown, re.DOTALL)
        if found is None:
            raise AssertionError(shown)
        return found[1]

    @staticmethod
    def _at(path, value):
        """What a JSONPath of names finds."""
        for dotted, quoted in re.findall(r"\.(\w+)|\['(\w+)'\]", path):
            value = value[dotted or quoted]
        return value

    def once(self):
        key, path = self.discovery
        found = [self._at(path, entry) for entry in json.loads(self._item(key))]
        whole = json.loads(self._item(self.whole_host[0]))
        values = flat(whole["instances"])
        path = self.whole_host[1].replace("{#ID}", self.vm)
        values[f"{self.vm}/{path.rpartition('.')[2]}"] = self._at(path, whole)
        if self.vm not in found:
            raise AssertionError(f"not discovered: {found}")
        key, path = self.one_vm
        values[f"{self.vm}/memory_rss_bytes"] = self._at(path, json.loads(self._item(key.replace("{#ID}", self.vm))))
        values[f"{self.vm}/cpu_seconds"] = float(self._item(self.one_value[0].replace("{#ID}", self.vm)))
        return values


class Collectd(Recipe):
    home = "/home/agent/collectd"

    def install(self):
        self.root.install(DOCS / "collectd/hypeman.conf", "/etc/collectd/collectd.conf.d/hypeman.conf")

    def start(self, vm):
        super().start(vm)
        self.root.run(["rm", "-rf", self.home], "agent")
        self.root.run(["mkdir", "-p", self.home], "agent")
        self.root.write(f"{self.home}.conf", f"""
            Hostname "host"
            Interval 1
            BaseDir "{self.home}"
            PIDFile "{self.home}/pid"
            TypesDB "/usr/share/collectd/types.db"
            LoadPlugin logfile
            <Plugin logfile>
              LogLevel err
              File "{self.home}/log"
            </Plugin>
            LoadPlugin csv
            <Plugin csv>
              DataDir "{self.home}/csv"
              StoreRates false
            </Plugin>
            Include "/etc/collectd/collectd.conf.d/hypeman.conf"
            """)
        self.process = self.root.start(["collectd", "-f", "-C", f"{self.home}.conf"], "agent", subprocess.DEVNULL)

    def stop(self):
        end(self.process)

    def once(self):
        """All values that have arrived so far; of each, the last one."""
        if self.process.poll() is not None:
            raise AssertionError("collectd has ended")
        if self.root.exists(f"{self.home}/log") and self.root.read(f"{self.home}/log"):
            raise AssertionError(self.root.read(f"{self.home}/log"))
        place = self.root.path / self.home[1:] / "csv/host"
        values = {}
        for file in place.glob("hypeman-default/*-instances-*"):
            one, name = re.search(r"-instances-(\w{24})-(\w+?)-\d{4}-\d\d-\d\d$", file.name).groups()
            self._add_last(values, f"{one}/{name}", file)
        for file in place.glob("hypeman-my-web-server/memory-rss_anon-*"):
            self._add_last(values, f"{self.vm}/memory_rss_anon_bytes", file)
        return values

    @staticmethod
    def _add_last(values, name, file):
        lines = file.read_text().split("\n")[1:-1]  # without the head, and without a line that is not complete
        if lines:
            values[name] = float(lines[-1].split(",")[1])


class Monit(Recipe):
    home = "/home/agent/monit"

    def install(self):
        self.root.install(DOCS / "monit/hypeman.conf", "/etc/monit/conf.d/hypeman.conf")

    def start(self, vm):
        super().start(vm)
        self.root.run(["rm", "-rf", self.home], "agent")
        self.root.run(["mkdir", self.home], "agent")
        self.root.run(["sh", "-c", f"umask 077; cat >{self.home}/monitrc <<'END'\n"
                       f"set daemon 1\nset log {self.home}/log\nset pidfile {self.home}/pid\nset idfile {self.home}/id\n"
                       f"set statefile {self.home}/state\nset httpd unixsocket {self.home}/socket\n allow test:\"secret\"\n"
                       "include /etc/monit/conf.d/hypeman.conf\nEND"], "agent")
        self.process = self.root.start(["monit", "-I", "-c", f"{self.home}/monitrc"], "agent", subprocess.DEVNULL)

        def has_checked():
            try:
                return re.search(r"last exit value +0\n", self._status())
            except AssertionError:  # it does not listen yet
                return False
        until(has_checked, "monit has checked the VM")

    def stop(self):
        end(self.process)

    def _status(self):
        return self.root.run(["monit", "-B", "-c", f"{self.home}/monitrc", "status"], "agent")

    def once(self):
        log = self.root.read(f"{self.home}/log")
        if self.process.poll() is not None or re.search("'(hypeman-stats|my-web-server)' .*(fail|exist)", log):
            raise AssertionError(log)
        return {f"{self.vm}/state": "running"}


class Nagios(Recipe):
    plugin = "/usr/local/lib/nagios/check_hypeman_vm"

    def install(self):
        self.root.install(DOCS / "nagios/check_hypeman_vm", self.plugin, 0o755)

    def check(self, name):
        """The exit status and the line."""
        done = subprocess.run(self.root.command([self.plugin, name], "agent"), capture_output=True, text=True, check=False)
        if done.stderr:
            raise AssertionError(done.stderr)
        return done.returncode, done.stdout

    def once(self):
        status, line = self.check(VM)
        found = re.fullmatch(r"OK: (\w+) \| cpu_seconds=(\S+)c memory_rss_bytes=(\d+)B\n", line)
        if status != 0 or found is None:
            raise AssertionError((status, line))
        return {f"{self.vm}/state": found[1], f"{self.vm}/cpu_seconds": float(found[2]),
                f"{self.vm}/memory_rss_bytes": int(found[3])}


class Cron(Recipe):
    """The line of the crontab, as cron would execute it, and the socket of the log."""

    def install(self):
        line = [line for line in (DOCS / "shell/hypeman.cron").read_text().splitlines() if not line.startswith("#")][0]
        self.user, self.line = re.fullmatch(r"(?:\S+\s+){5}(\S+)\s+(.*)", line).groups()
        self._log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        place = self.root.path / "dev/log"
        place.unlink(missing_ok=True)  # that of an older case
        self._log.bind(str(place))
        place.chmod(0o666)
        self._lines = queue.SimpleQueue()
        # Other agents write to the log too, and wait while the socket is full.
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            line = self._log.recv(8192).decode()
            if " hypeman: " in line:
                self._lines.put(line)

    def once(self):
        self.root.run(["/bin/sh", "-c", self.line + "; logger -t hypeman end"], self.user)
        values = {}
        while True:
            line = self._lines.get(timeout=60)
            if line.endswith(" hypeman: end"):
                return values
            found = re.search(r" hypeman: (\w{24})\t(\S+)\t(\S+)\t(\S+)$", line)
            if found is None:
                raise AssertionError(f"in the log: {line!r}")
            one, name, state, cpu = found.groups()
            values |= {f"{one}/instance_name": name, f"{one}/state": state, f"{one}/cpu_seconds": float(cpu)}


class WaitingVms(Recipe):
    def install(self):
        self.root.install(DOCS / "shell/waiting-vms", "/usr/local/bin/waiting-vms", 0o755)

    def once(self):
        began = time.monotonic()
        shown = self.root.run(["waiting-vms", "1"], "agent")
        most = 100 * 2 * (time.monotonic() - began)  # two vCPUs
        lines = [re.fullmatch(r" *(\d+\.\d)%  (\S+)", line).groups() for line in shown.splitlines()]
        if VM not in [name for _, name in lines] or not all(0 <= float(part) <= most for part, _ in lines):
            raise AssertionError(shown)
        return {f"{self.vm}/instance_name": VM}


ALL = (Ansible, Facter, Puppet, NodeExporter, Zabbix, Collectd, Monit, Nagios, Cron, WaitingVms)
