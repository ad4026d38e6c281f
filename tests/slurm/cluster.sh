#!/usr/bin/env bash
# A real Slurm cluster of one node on loopback, for tests. Its GPUs are only counted. It touches nothing outside its
# folder, but `install` adds Debian packages.
#
#   cluster.sh install      get slurm-wlm and munge from Debian, without starting any service (root)
#   cluster.sh start DIR    start munged, slurmctld and slurmd with all files in DIR; `. DIR/environment` to use them;
#                           if that fails, stop what was started, and remove DIR
#   cluster.sh stop DIR     stop these three, and remove DIR
#
# The variable GPUS is the number of GPUs (2), CPUS that of processors (8). The machine may have fewer of both.
set -euo pipefail

# Without the policy Debian's packages would start services with a configuration of their own.
install() {
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && return
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
}

configure() {
  mkdir -p "$dir"/{state,spool,log,run,bin}
  # munged refuses a socket in a folder that others can't enter, or can write to.
  chmod 755 "$dir" "$dir/run"
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge.key")
  # Slurm wants a device file for each GPU that it counts.
  for ((gpu = 0; gpu < gpus; gpu++)); do ln -sfn /dev/null "$dir/gpu$gpu"; done
  echo "Name=gpu File=$dir/gpu[0-$((gpus - 1))]" >"$dir/gres.conf"
  : >"$dir/plugstack.conf"
  host=$(hostname -s)
  # With these options other machines cannot reach the cluster. They need a host name that leads to loopback.
  listen=
  if getent ahostsv4 "$host" | grep -q '^127\.'; then
    listen=CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
  fi
  read -r controller_port daemon_port < <(python3 -c '
import socket
free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(server.getsockname()[1] for server in free))')
  cat >"$dir/slurm.conf" <<END
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller_port
SlurmdPort=$daemon_port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
PlugStackConfig=$dir/plugstack.conf
$listen
# These need no control groups, database or mail.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
# scontrol still shows finished jobs for a day.
MinJobAge=86400
# A node that was set to DOWN is not used again until it is resumed.
ReturnToService=1
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=500
KillWait=5
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus CoresPerSocket=$cpus RealMemory=100000 Gres=gpu:$gpus State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
END
  # Inside a job Snakemake takes SLURM_CONF out of the environment, and Slurm's commands look into /etc/slurm then.
  for command in sacct sbatch scancel scontrol sinfo squeue srun; do
    printf '#!/bin/sh\nSLURM_CONF=%q exec %q "$@"\n' "$dir/slurm.conf" "$(command -v $command)" >"$dir/bin/$command"
    chmod +x "$dir/bin/$command"
  done
  printf 'export SLURM_CONF=%q PATH=%q:"$PATH"\n' "$dir/slurm.conf" "$dir/bin" >"$dir/environment"
}

alive() {
  [ -s "$dir/run/$1.pid" ] && kill -0 "$(cat "$dir/run/$1.pid")" 2>/dev/null
}

# A daemon's command returns before its process has written its pid file. `stop` needs this file.
launch() {
  "$@"
  for _ in {1..100}; do
    alive "$1" && return
    sleep 0.1
  done
  echo "$1 did not start" >&2
  return 1
}

# Runs when `start` ends early. Nothing of the cluster must be left.
undo() {
  tail -n 20 "$dir"/log/*.log >&2 || true
  stop
  echo "the cluster did not start" >&2
}

start() {
  mkdir "$dir"
  trap undo EXIT
  configure
  export SLURM_CONF=$dir/slurm.conf
  launch munged --key-file="$dir/munge.key" --socket="$dir/run/munge.socket" --pid-file="$dir/run/munged.pid" \
    --log-file="$dir/log/munged.log" --seed-file="$dir/run/munged.seed" --num-threads=2
  launch slurmctld -f "$SLURM_CONF"
  launch slurmd -f "$SLURM_CONF"
  for _ in {1..100}; do
    # If the controller is dead, every question to it takes nine seconds.
    if alive slurmctld && [ "$(sinfo --noheader --format=%T)" = idle ]; then
      trap - EXIT
      return
    fi
    sleep 0.1
  done
  return 1
}

stop() {
  if alive slurmctld; then
    SLURM_CONF=$dir/slurm.conf scancel --user="$(id -un)" || true
    # slurmd must still end the jobs' processes.
    for _ in {1..100}; do
      [ -z "$(SLURM_CONF=$dir/slurm.conf squeue --noheader)" ] && break
      sleep 0.1
    done
  fi
  for daemon in slurmd slurmctld munged; do
    if alive $daemon; then
      pid=$(cat "$dir/run/$daemon.pid")
      kill "$pid" || true
      for _ in {1..100}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
      done
    fi
  done
  rm -rf "$dir"
}

# Debian installs the daemons there.
PATH=$PATH:/usr/sbin
gpus=${GPUS:-2} cpus=${CPUS:-8}
case ${1-} in
install) install ;;
start | stop)
  dir=$(realpath -m "$2")
  "$1"
  ;;
*) sed -n '2,/^set/{/^#/p}' "$0" && exit 2 ;;
esac
