"""Hosts on this machine: own networks, processes, names and temporary folders, one shared folder.

Everything a host runs dies with its first process, and that dies with the test, however it ends.
"""

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

TOOLS = ("unshare", "nsenter", "setpriv", "ip")
PRIVATE_FOLDERS = ("/run", "/dev/shm", "/tmp")
SUBNET = "10.77.0"


def missing():
    """Return why there can be no hosts here, or nothing."""
    if os.geteuid() != 0:
        return "namespaces need root"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"no {', '.join(absent)} (Debian: util-linux, iproute2)" if absent else ""


class Host:
    """A network, process, name and mount namespace with a first process that holds them."""

    def __init__(self, name, shared, hosts_file):
        self._started = []
        unshare = "unshare --net --pid --uts --mount --mount-proc --fork --kill-child sleep infinity"
        self._holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *unshare.split()])
        self.first_process = self._find_first_process()
        self._enter = ["nsenter", "--target", self.first_process, "--net", "--pid", "--uts", "--mount"]
        self.sh(f"hostname {name} && ip link set lo up && mount --bind {hosts_file} /etc/hosts")
        self.sh(f"mount --bind {shared} /mnt")
        for folder in PRIVATE_FOLDERS:
            self.sh(f"mount -t tmpfs tmpfs {folder}")
        self.sh(f"mkdir -p {shared} && mount --bind /mnt {shared}")

    def _find_first_process(self):
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        eventually(lambda: children.read_text().split(), 10)
        return children.read_text().split()[0]

    def start(self, command, **options):
        """Start a program on the host."""
        process = subprocess.Popen([*self._enter, "--", *map(str, command)], **options)
        self._started.append(process)
        return process

    def run(self, command, *, timeout=60, **options):
        """Run a program on the host to its end and return what it printed."""
        done = subprocess.run(
            [*self._enter, "--", *map(str, command)],
            capture_output=True, text=True, timeout=timeout, **options,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def sh(self, line):
        """Run a line of shell."""
        return self.run(["sh", "-c", line])

    def plug(self, cable, host):
        """Connect a host to this one by a cable, whose end here gets the name ``cable``."""
        # The host's process is named as it is outside, so only the network is entered.
        veth = f"ip link add {cable} type veth peer name eth0 netns {host.first_process}"
        line = f"ip link del {cable} 2> /dev/null; {veth} && ip link set {cable} master bridge up"
        subprocess.run(["nsenter", "--target", self.first_process, "--net", "sh", "-c", line], check=True)

    def kill(self):
        """End everything on the host at once, as a power cut does."""
        self._holder.kill()
        self._holder.wait()
        while self._started:
            with self._started.pop():  # closes its pipes and waits
                pass
        # The first process goes a moment later, and what it held after it.
        eventually(lambda: not Path(f"/proc/{self.first_process}/exe").exists(), 20)


class Network(ExitStack):
    """Hosts on one switch, which is a host of its own: nothing of it shows outside.

    Parameters
    ----------
    shared
        The folder that all hosts see.
    names
        Of the hosts.
    """

    def __init__(self, shared, names):
        super().__init__()
        self._shared = shared
        self._addresses = {name: f"{SUBNET}.{number}" for number, name in enumerate(names, start=1)}
        self._hosts_file = shared / "hosts.txt"
        lines = ["127.0.0.1 localhost", *(f"{ip} {name}" for name, ip in self._addresses.items())]
        self._hosts_file.write_text("\n".join(lines) + "\n")
        self.hosts = {}

    def __enter__(self):
        super().__enter__()
        try:
            self._switch = self._host("switch")
            self._switch.sh("ip link add bridge type bridge && ip link set bridge up")
            for name in self._addresses:
                self.boot(name)
        except BaseException:
            self.close()
            raise
        return self

    def __getitem__(self, name):
        return self.hosts[name]

    def address(self, name):
        """Return a host's address."""
        return self._addresses[name]

    def boot(self, name):
        """Start a host and put its cable in; anew after it was killed."""
        host = self.hosts[name] = self._host(name)
        self._switch.plug(name, host)
        host.sh(
            f"ip address add {self.address(name)}/24 dev eth0 && ip link set eth0 up"
            f" && ip route add default via {SUBNET}.254"
        )
        return host

    def pull_cable(self, name):
        """Cut a host off from all others."""
        self._switch.sh(f"ip link set {name} down")

    def plug_cable(self, name):
        """Put a pulled cable in again."""
        self._switch.sh(f"ip link set {name} up")

    def _host(self, name):
        host = Host(name, self._shared, self._hosts_file)
        self.callback(host.kill)
        return host


def eventually(condition, seconds, during="something that must happen"):
    """Wait until ``condition()`` is true and return its value; ``seconds`` is when to give up."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{during} did not happen in {seconds} s"
        time.sleep(0.1)
    return value
