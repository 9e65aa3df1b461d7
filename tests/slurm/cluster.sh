#!/usr/bin/env bash
# A Slurm cluster of one node on the loopback interface, for the time of one command:
#     tests/slurm/cluster.sh COMMAND [ARGUMENT ...]
# Needs root (slurmd does) and Debian's packages: apt-get install slurm-wlm munge
# While it runs, /etc/slurm/slurm.conf is a link to its configuration: jobs do not inherit SLURM_CONF from Snakemake.
set -euo pipefail

for program in munged slurmctld slurmd squeue; do
  command -v "$program" >/dev/null || { echo "$program not found; apt-get install slurm-wlm munge"; exit 2; }
done
[ "$(id -u)" = 0 ] || { echo "slurmd needs root"; exit 2; }
config=/etc/slurm/slurm.conf
[ ! -e $config ] && [ ! -L $config ] || { echo "$config exists: this machine has a Slurm of its own"; exit 2; }

folder=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$folder" $config
}
trap stop EXIT

chmod 755 "$folder"
mkdir -p "$folder"/{state,spool}
dd if=/dev/urandom of="$folder/key" bs=64 count=1 status=none
chmod 600 "$folder/key"
host=$(hostname -s)
cat > "$folder/slurm.conf" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) CoresPerSocket=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
mkdir -p /etc/slurm
ln -s "$folder/slurm.conf" $config

munged --foreground --force --key-file="$folder/key" --socket="$folder/munge.socket" \
  --pid-file="$folder/munge.pid" --log-file="$folder/munge.log" --seed-file="$folder/munge.seed" &
pids+=($!)
slurmctld -D -c &
pids+=($!)
slurmd -D &
pids+=($!)
for _ in $(seq 60); do
  sinfo --noheader --format=%t 2>/dev/null | grep -q idle && break
  sleep 1
done
sinfo
"$@"
