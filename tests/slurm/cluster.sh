#!/usr/bin/env bash
# A real Slurm cluster of one node on loopback, with GPUs that are only counted. For tests; nothing outside its folder is
# touched, but for the Debian packages that `install` adds.
#
#   cluster.sh install      get slurm-wlm and munge from Debian, without starting any service (root)
#   cluster.sh start DIR    start munged, slurmctld and slurmd with all their files in DIR; `. DIR/environment` to use them;
#                           where that fails, what was started is stopped, and DIR removed
#   cluster.sh stop DIR     stop these three, and remove DIR
#
# GPUS is the number of GPUs (2), CPUS that of processors (8), of which the machine need not have so many.
set -euo pipefail

# Debian's packages would start services with a configuration of their own.
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
  # Then other machines cannot reach it, but the host's own name must lead to loopback.
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
# What needs no control groups, database or mail.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
# Finished jobs stay for scontrol to tell of.
MinJobAge=86400
# A node that was set down is not used again until it is resumed.
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

# A daemon returns before the process that it leaves behind has written its pid file, which stop goes by.
launch() {
  "$@"
  for _ in {1..100}; do
    alive "$1" && return
    sleep 0.1
  done
  echo "$1 did not start" >&2
  return 1
}

# However a start ends early, nothing of it is left.
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
    # With the controller dead every question to it takes nine seconds.
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
    # slurmd passes the jobs' end on to their processes.
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

# Where Debian has the daemons.
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
