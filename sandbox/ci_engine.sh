#!/usr/bin/env bash
# A Docker engine with the sandbox's image, on a bare Debian 12 machine: as root, with or without systemd, with no
# image registry. For CI and for trying things out; a user's machine has an engine of its own.
#   ci_engine.sh up      starts an engine where none answers, builds the image where it is missing; idempotent
#   ci_engine.sh down    stops the engine that `up` started, and no other
# Environment: DOCKER_HOST               where the engine listens (default: the usual socket)
#              AUTOAGENT_ENGINE_STATE    pid file, log and image cache (default: /var/lib/autoagent-ci)
#              AUTOAGENT_ENGINE_ARGS     more arguments for dockerd, for example --data-root
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
state=${AUTOAGENT_ENGINE_STATE:-/var/lib/autoagent-ci}
export DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}
export AUTOAGENT_IMAGE_CACHE=${AUTOAGENT_IMAGE_CACHE:-$state/images}

say() { echo "ci_engine: $*" >&2; }
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_missing() { # <command> <package>
  command -v "$1" >/dev/null 2>&1 && return 0
  say "installing $2"
  # nothing here may start a service behind our back; the policy file goes away again
  local policy=/usr/sbin/policy-rc.d ours=no
  if ! [ -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && ours=yes
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update -qq
  apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 install -y -qq --no-install-recommends "$2" \
    >"$state/apt.log" 2>&1 || { tail -n 20 "$state/apt.log" >&2; exit 3; }
  [ "$ours" = no ] || rm -f "$policy"
}

mount_cgroups() { # where no init has done it
  mountpoint -q /sys/fs/cgroup && return 0
  if grep -qw cgroup2 /proc/filesystems && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null; then
    # a group that has processes of its own can't hand controllers down
    mkdir -p /sys/fs/cgroup/init
    while read -r pid; do echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || :; done \
      </sys/fs/cgroup/cgroup.procs
    sed 's/^/+/; s/ / +/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control || :
    return 0
  fi
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | while read -r controller; do
    mkdir -p "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
  done
}

start_engine() {
  install_missing dockerd docker.io
  install_missing docker docker.io
  answers && return 0
  mount_cgroups
  # Sandboxes have no network: without bridge and packet filter the host's stays as it is, and the engine starts
  # where the kernel lacks them. Its own session and no inherited pipes: CI neither waits for it nor interrupts it.
  # shellcheck disable=SC2086  # words are meant
  setsid dockerd -H "$DOCKER_HOST" --bridge=none --iptables=false --ip6tables=false --ip-forward=false \
    --pidfile "$state/dockerd.pid" --log-level warn ${AUTOAGENT_ENGINE_ARGS:-} \
    </dev/null >"$state/dockerd.log" 2>&1 9>&- &
  local engine=$!
  for _ in $(seq 1 300); do
    answers && return 0
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$state/dockerd.log" >&2
  say "the engine did not start"
  exit 4
}

up() {
  start_engine
  install_missing mmdebstrap mmdebstrap
  local image
  image=$(PYTHONPATH=$here python3 -c 'import autoagent_sandbox; print(autoagent_sandbox.image_name())')
  bash "$here/autoagent_sandbox/image/offline.sh" "$image" 2>"$state/image.log" ||
    { tail -n 20 "$state/image.log" >&2; say "the image could not be built"; exit 5; }
  say "engine $(docker version --format '{{.Server.Version}}'), image $image"
}

down() {
  [ -s "$state/dockerd.pid" ] || return 0
  local engine
  engine=$(cat "$state/dockerd.pid")
  [ "$(cat "/proc/$engine/comm" 2>/dev/null)" = dockerd ] || return 0
  kill "$engine"
  for _ in $(seq 1 100); do kill -0 "$engine" 2>/dev/null || return 0; sleep 0.1; done
}

[ "$(id -u)" = 0 ] || { say "must be root"; exit 2; }
mkdir -p "$state"
chmod 700 "$state"
exec 9>"$state/lock"
flock 9
case ${1:-} in
  up) up ;;
  down) down ;;
  *) say "usage: $0 up|down"; exit 2 ;;
esac
