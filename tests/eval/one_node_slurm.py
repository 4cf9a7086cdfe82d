"""A Slurm of one node that a test starts and stops: munged, slurmctld and slurmd on loopback, as this user."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2
MailProg=/bin/true
ReturnToService=2
KillWait=5
SlurmdTimeout=6
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """Programs of Slurm that are not here."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class OneNodeSlurm:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.host = socket.gethostname().split(".")[0]
        self.processes = []
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": SEARCH}

    def start(self):
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        (self.folder / "slurm.conf").write_text(CONFIG.format(
            host=self.host, user=getpass.getuser(), folder=self.folder, controller_port=free_port(), node_port=free_port(),
            cpus=os.cpu_count(), memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20))
        self.background("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                        f"--pid-file={self.folder}/munge.pid", f"--log-file={self.folder}/munge.log",
                        f"--seed-file={self.folder}/munge.seed")
        self.wait(lambda: (self.folder / "munge.socket").exists())
        self.background("slurmctld", "-D", "-i")
        self.wait(lambda: self.run("sinfo").returncode == 0)
        self.start_node()

    def start_node(self):
        self.background("slurmd", "-D", "-N", self.host)
        self.wait(lambda: self.node() in ("idle", "mixed", "allocated"))

    def lose_node(self, jobs):
        """As if it lost its power: slurmd, all steps and the processes of `jobs` are gone, and the controller has noticed."""
        node = self.processes.pop()
        for process in (node.pid, *self.steps(), *jobs):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        node.wait()
        self.wait(lambda: self.node().startswith("down"))

    def steps(self):
        """Processes slurmstepd of this Slurm, which has its folder in their environment or command line."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "comm").read_text().startswith("slurmstepd") and \
                        str(self.folder).encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def node(self):
        return self.run("sinfo", "--noheader", "--format=%T").stdout.strip()

    def background(self, *words):
        with open(self.folder / "daemons.out", "ab") as log:
            self.processes.append(subprocess.Popen(words, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def run(self, *words):
        return subprocess.run(words, env=self.environment, capture_output=True, text=True)

    def wait(self, true, seconds=60):
        end = time.monotonic() + seconds
        while not true():
            for process in self.processes:
                assert process.poll() is None, f"{process.args[0]} ended: " + self.logs()
            assert time.monotonic() < end, self.logs()
            time.sleep(0.1)

    def logs(self):
        return "\n".join(f"{path.name}:\n{path.read_text()[-3000:]}" for path in
                         [*self.folder.glob("*.log"), self.folder / "daemons.out"] if path.exists())

    def stop(self):
        self.run("scancel", "--full", "--signal=KILL", "--user", getpass.getuser())
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
