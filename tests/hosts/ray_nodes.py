"""Ray on hosts, each node as `ray start` makes it, with a token that every node needs."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from namespaces import eventually

MICROGRAPHS = 20

BIN = Path(sys.executable).parent
PORT = 6379
SEVERAL_SECONDS = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""What Ray's head waits for a node that does not answer, for tests that wait for it, too."""


def clean_environment():
    """Return this process's environment without what it says of Ray."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}


def busy_workers(host):
    """Return how many workers on a host are at work on a unit now."""
    titles = host.sh("ps -eo args=").splitlines()
    return sum(title.startswith("ray::PickHost.process") for title in titles)


class RayNodes:
    """A Ray cluster on the hosts of a network, one node each; the first is the head.

    Parameters
    ----------
    network
        The hosts.
    folder
        For the token and what Ray says.
    """

    def __init__(self, network, folder):
        self._network = network
        self._folder = folder
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self._environment = clean_environment() | SEVERAL_SECONDS
        self._environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}

    def start(self, name, *, cpus, head=""):
        """Start a node on a host: the head, or one that joins the one at ``head``."""
        own = self._network.address(name)
        role = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        if head:
            role = [f"--address={self._network.address(head)}:{PORT}"]
        resources = ["--num-gpus=0", f"--num-cpus={cpus}", "--object-store-memory=100000000"]
        role += [f"--node-ip-address={own}", "--block", "--disable-usage-stats"]
        with (self._folder / f"{name}.log").open("a") as log:
            self._network[name].start(
                [BIN / "ray", "start", *role, *resources],
                env=self._environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def wait_for_nodes(self, name, count):
        """Wait until ``count`` nodes are alive, asked from the head on host ``name``."""
        head = self._network[name]
        eventually(lambda: f":{PORT} " in head.sh("ss -ltn"), 240, "a head")
        code = f"while sum(node['Alive'] for node in ray.nodes()) < {count}: time.sleep(0.5)"
        connect = f"import ray, time; ray.init('{self.address(name)}', log_to_driver=False)"
        head.run([sys.executable, "-c", f"{connect}\n{code}"], env=self._environment, timeout=240)

    def address(self, name):
        """Return the address of a head, for drivers."""
        return f"{self._network.address(name)}:{PORT}"

    def cryopick(self, name, *arguments):
        """Start the command on a host; it joins the cluster whose head that is."""
        return self._network[name].start(
            [BIN / "cryopick", *arguments, "--address", self.address(name)],
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
