"""A real Slurm on one machine for tests: a controller and two virtual nodes of one CPU each, on loopback; needs root.

Debian's packages slurmctld, slurmd and slurm-client; no systemd, no cgroups, no database. The configuration lies at
/etc/slurm/slurm.conf while it runs: Snakemake's plugin drops all SLURM_ variables from its jobs, SLURM_CONF with them.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NODES = ("node1", "node2")
CONFIGURATION = """\
ClusterName=koine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2,defer
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# squeue must still know a finished job when Snakemake asks.
MinJobAge=600
KillWait=2
InactiveLimit=0
SlurmctldTimeout=10
SlurmdTimeout=10
ReturnToService=2
JobRequeue=1
RebootProgram=/bin/true
SlurmdParameters=config_overrides
NodeName=node[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[16821-16822] CPUs=1 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP OverSubscribe=NO
"""
LINK = Path("/etc/slurm/slurm.conf")


class Cluster:
    """The running cluster.

    Args:
        folder: for its state and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Output of a command that must succeed."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def start_node(self, name: str) -> None:
        """Start a node's daemon."""
        self.run("slurmd", "-N", name)

    def kill_node(self, name: str) -> None:
        """Kill a node's daemon and all jobs on it at once, as if its machine went dark."""
        pid = int((self.folder / f"{name}.pid").read_text())
        steps = [int(found) for found in self._processes(f"slurmstepd: [{self._job_on(name)}.")]
        for process in [pid, *steps, *(child for step in steps for child in _children(step))]:
            _kill(process, signal.SIGKILL)

    def jobs(self) -> list[list[str]]:
        """(job, state, node or reason) of all that run or wait."""
        return [line.split("|") for line in self.run("squeue", "-h", "-o", "%i|%T|%R").splitlines()]

    def _job_on(self, name: str) -> str:
        return self.run("squeue", "-h", "-w", name, "-o", "%A").split()[0]

    def _processes(self, title: str) -> list[str]:
        found = subprocess.run(["pgrep", "-f", "--", title.replace("[", r"\[")], capture_output=True, text=True, check=False)
        return found.stdout.split()


def _children(pid: int) -> Iterator[int]:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _children(int(child))
        yield int(child)


def _kill(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)


@contextmanager
def slurm(folder: Path) -> Iterator[Cluster]:
    """Start a cluster, wait until its nodes are idle, and stop it at the end."""
    (folder / "controller").mkdir(parents=True)
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=socket.gethostname().split(".")[0], folder=folder))
    LINK.parent.mkdir(exist_ok=True)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(configuration)
    cluster = Cluster(folder)
    try:
        cluster.run("slurmctld", "-c")
        for name in NODES:
            cluster.start_node(name)
        deadline = time.monotonic() + 30
        while set(cluster.run("sinfo", "-h", "-N", "-o", "%T").split()) != {"idle"}:
            assert time.monotonic() < deadline, cluster.run("sinfo", "-N")
            time.sleep(0.1)
        yield cluster
    finally:
        subprocess.run(["scancel", "--user=root"], env=cluster.environment, check=False)
        for pid in folder.glob("*.pid"):
            _kill(int(pid.read_text()), signal.SIGTERM)
        LINK.unlink(missing_ok=True)
