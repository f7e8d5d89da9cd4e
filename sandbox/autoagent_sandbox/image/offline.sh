#!/usr/bin/env bash
# Builds the sandbox's image without an image registry: from Debian packages and Python wheels, as root.
#   offline.sh NAME     imports the image into the engine under NAME; does nothing where it is there
# Environment: AUTOAGENT_IMAGE_CACHE  folder for the file system's tarball (default: none is kept)
set -euo pipefail
name=${1:?"usage: offline.sh IMAGE_NAME"}
here=$(cd "$(dirname "$0")" && pwd)
suite=bookworm python=3.11 # Debian's own; the wheels are for it
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fetch_wheels() { # into a folder that becomes the image's dist-packages
  python3 -m pip install -qq --root-user-action=ignore --disable-pip-version-check --no-compile --target "$scratch/wheels" \
    --python-version "$python" --implementation cp --only-binary=:all: \
    --platform "manylinux_2_28_$(uname -m)" --platform "manylinux2014_$(uname -m)" --platform "manylinux_2_27_$(uname -m)" \
    -r "$here/requirements.txt"
  find "$scratch/wheels" -type d -name tests -prune -exec rm -rf {} +
  rm -rf "$scratch/wheels/bin"
}

# shellcheck disable=SC2016  # "$1" is for mmdebstrap's hooks
build_rootfs() {
  mmdebstrap --quiet --mode=root --format=tar --variant=essential --include=python3,python-is-python3,libstdc++6 \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook="copy-in $scratch/wheels /usr/local/lib/python$python" \
    --customize-hook='cd "$1/usr/local/lib/python3.11" && rm -rf dist-packages && mv wheels dist-packages' \
    --customize-hook='mkdir -p "$1/workspace"' \
    --customize-hook='find "$1" -xdev -type f -perm /6000 -exec chmod ug-s {} +' \
    "$suite" "$1"
}

if docker image inspect "$name" >/dev/null 2>&1; then exit 0; fi
tar=${AUTOAGENT_IMAGE_CACHE:-$scratch}/${name//[:\/]/-}.tar
if ! [ -s "$tar" ]; then
  mkdir -p "$(dirname "$tar")"
  fetch_wheels
  build_rootfs "$tar.part"
  mv "$tar.part" "$tar" # a build that was cut short leaves no tarball under the final name
fi
docker import -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8' -c 'CMD ["python3"]' "$tar" "$name" >/dev/null
