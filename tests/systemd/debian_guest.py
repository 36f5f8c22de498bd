"""A Debian in QEMU, made by scripts/debian-guest, that runs scripts which it receives at a virtio port."""

import base64
import os
import socket
import subprocess
import time
from pathlib import Path


class GuestError(Exception):
    """The guest does not work, so nothing can be checked."""


class DebianGuest:
    """A booted guest. Its changes are not written to the image."""

    def __init__(self, image, files, directory):
        """Boots `image`. `files` is a tar archive that the guest gets as its second disk."""
        self._directory = Path(directory)
        self._console = self._directory / "console.log"
        agent = self._directory / "agent.sock"
        accelerator = (image / "accelerator").read_text().strip()
        self._qemu = subprocess.Popen(
            [
                "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", f"q35,accel={accelerator}",
                "-cpu", "host" if accelerator == "kvm" else "qemu64", "-smp", "2", "-m", "1024",
                "-nic", "none",
                "-kernel", image / "vmlinuz", "-initrd", image / "initrd.img",
                "-append", "root=/dev/vda ro console=ttyS0 quiet systemd.show_status=0",
                "-drive", f"file={image / 'root.img'},format=raw,if=virtio,snapshot=on",
                "-drive", f"file={files},format=raw,if=virtio,readonly=on",
                "-serial", f"file:{self._console}",
                "-device", "virtio-rng-pci",
                "-chardev", f"socket,id=agent,path={agent},server=on,wait=off",
                "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=agent",
            ],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(self._directory)},
        )
        self._received = b""
        self._agent = self._connect(agent)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._qemu.kill()
        self._qemu.wait()

    def _connect(self, path):
        for _ in range(100):
            if self._qemu.poll() is not None:
                raise GuestError("QEMU ended at once")
            try:
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(str(path))
                return connection
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.1)
        raise GuestError("QEMU does not listen on the agent's socket")

    def _receive_line(self, timeout, waiting_for):
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            self._agent.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                more = self._agent.recv(1 << 16)
            except TimeoutError:
                more = b""
            if not more:
                tail = self._console.read_text(errors="replace")[-2000:]
                raise GuestError(f"no answer within {timeout} s: {waiting_for}\n{tail}")
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        return line.decode()

    def wait_until_booted(self, timeout=600):
        """Waits for the agent; returns the ID of the boot."""
        while True:
            word, _, rest = self._receive_line(timeout, "the guest to boot").partition(" ")
            if word == "READY":
                return rest

    def run(self, script, timeout=300):
        """Runs `script` with bash as root. Returns the exit status and the output."""
        self._agent.sendall(base64.b64encode(script.encode()) + b"\n")
        status, _, output = self._receive_line(timeout, script).partition(" ")
        return int(status), base64.b64decode(output).decode(errors="replace").strip()

    def reboot(self):
        """Reboots the guest. Returns the ID of the new boot."""
        self._agent.sendall(base64.b64encode(b"systemctl reboot") + b"\n")
        return self.wait_until_booted()
