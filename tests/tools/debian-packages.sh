#!/usr/bin/env bash
# Brings the programs that only tests use, as Debian packages; starts none of them.
# Usage: debian-packages.sh            install what is missing, if anything is
#        debian-packages.sh --dry-run  say what would be installed
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

dry_run=${1:-}
root=()
if ((EUID != 0)); then root=(sudo -n); fi

# command, then the package that has it
programs=(
  smtp-sink postfix
  smtp-source postfix
  redis-server redis-server
  chromium chromium
  spamassassin spamassassin
  fc-list fontconfig
)
# fontconfig pattern, then the package that has such a font
fonts=(
  "Liberation Sans" fonts-liberation
  ":lang=ja" fonts-noto-cjk
)

missing_packages() {
  local i
  for ((i = 0; i < ${#programs[@]}; i += 2)); do
    command -v "${programs[i]}" >/dev/null || echo "${programs[i + 1]}"
  done
  for ((i = 0; i < ${#fonts[@]}; i += 2)); do
    [[ -n $(fc-list "${fonts[i]}" 2>/dev/null) ]] || echo "${fonts[i + 1]}"
  done
}

# Installing must not start a mail or Redis server on somebody's machine.
hold_services_back() {
  [[ -e /usr/sbin/policy-rc.d ]] && return
  trap '"${root[@]}" rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee /usr/sbin/policy-rc.d >/dev/null
  "${root[@]}" chmod 755 /usr/sbin/policy-rc.d
}

install_packages() {
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  echo "postfix postfix/main_mailer_type select No configuration" |
    "${root[@]}" debconf-set-selections
  hold_services_back
  "${apt[@]}" update || true # old lists may do
  "${apt[@]}" install -y --no-install-recommends "$@"
}

mapfile -t missing < <(missing_packages | sort -u)
if ((${#missing[@]} == 0)); then
  [[ -z $dry_run ]] || echo "Nothing is missing."
  exit 0
fi

by_hand="apt-get install --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "The tests need programs of these Debian packages: ${missing[*]}" >&2
  exit 1
fi
if [[ $dry_run == --dry-run ]]; then
  exec apt-get install -s --no-install-recommends "${missing[@]}"
fi
if ((EUID != 0)) && ! sudo -n true 2>/dev/null; then
  echo "The tests need Debian packages that only root can install: sudo $by_hand" >&2
  exit 1
fi

log=$(mktemp)
printf 'Installing Debian packages for the tests: %s ... ' "${missing[*]}"
if ! install_packages "${missing[@]}" >"$log" 2>&1; then
  echo "failed after $SECONDS s"
  tail -n 20 "$log" >&2
  echo "Install them by hand, then try again: sudo $by_hand" >&2
  exit 1
fi
rm -f "$log"
echo "done in $SECONDS s"
