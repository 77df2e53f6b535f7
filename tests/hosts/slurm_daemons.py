"""A SLURM of real daemons: a controller on one host, slurmd with pretended GPUs on the others."""

import shutil
import subprocess

from namespaces import eventually

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")

CONFIG = """\
ClusterName=hosts
SlurmctldHost={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
ReturnToService=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
KillWait=30
InactiveLimit=0
StateSaveLocation={folder}/state
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir={folder}/spool/%n
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
{nodes}
PartitionName=gpu Nodes=ALL Default=YES PriorityTier=1 GraceTime=90
PartitionName=urgent Nodes=ALL PriorityTier=2
"""


def missing():
    """Return why there can be no SLURM here, or nothing."""
    absent = [program for program in PROGRAMS if shutil.which(program, path="/usr/bin:/usr/sbin") is None]
    return f"no {', '.join(absent)} (Debian: slurm-wlm, munge)" if absent else ""


class Slurm:
    """SLURM on the hosts of a network; the first of them is the controller.

    Parameters
    ----------
    network
        The hosts.
    folder
        For what the daemons keep and say.
    gpus
        Pretended GPUs of each node, by its name.
    """

    def __init__(self, network, folder, controller, gpus):
        self._network = network
        self._controller = network[controller]
        self._folder = folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        devices = folder / "gpu"
        subprocess.run(["sh", "-c", f"for n in 0 1 2 3; do mknod {devices}$n c 1 3; done"], check=True)
        nodes = [
            f"NodeName={name} NodeAddr={network.address(name)} CPUs=2 RealMemory=2000 Gres=gpu:{count}"
            for name, count in gpus.items()
        ]
        config = CONFIG.format(controller=controller, folder=folder, nodes="\n".join(nodes))
        (folder / "slurm.conf").write_text(config)
        gres = [f"NodeName={name} Name=gpu File={devices}[0-{n - 1}]\n" for name, n in gpus.items()]
        (folder / "gres.conf").write_text("".join(gres))
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(bytes(range(128)))
        self._daemon(controller, ["slurmctld", "-D", "-f", folder / "slurm.conf"])
        for name in gpus:
            self._daemon(name, ["slurmd", "-D", "-f", folder / "slurm.conf", "-N", name])
        eventually(
            lambda: self("sinfo", "-h", "-o", "%t %D").split() == ["idle", str(len(gpus))], 60, "SLURM"
        )

    def __call__(self, program, *arguments):
        """Run a SLURM command on the controller's host and return what it printed."""
        return self._controller.run(
            ["env", f"SLURM_CONF={self._folder}/slurm.conf", program, *arguments], timeout=60
        )

    def state(self, job):
        """Return a job's state and how often it was started anew."""
        shown = self("scontrol", "--oneliner", "show", "job", job)
        fields = dict(field.split("=", 1) for field in shown.split() if "=" in field)
        return fields["JobState"], int(fields["Restarts"])

    def _daemon(self, name, command):
        host = self._network[name]
        host.sh("mkdir -m 755 /run/munge")
        host.run(["munged", f"--key-file={self._folder}/munge.key", "--force"])
        with (self._folder / f"{name}.out").open("w") as out:
            host.start(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
