#!/bin/bash
# The life of the service, told by the first process of a Debian that has just been booted. The first command that fails
# ends it; what was done until then stands in /boot.log, and the last line is "all is well" if all was.
exec > /boot.log 2>&1
trap 'systemctl poweroff --force' EXIT
set -ex -o pipefail

is() { test "$(systemctl show mingle --property "$1" --value)" = "$2"; }

# As docs/operating.md says it: systemd gives the folder to the agent's user.
(umask 077 && mkdir /var/lib/mingle) && mingle keygen --keyring-file /var/lib/mingle/keys.json
echo 'keyring_file = "/var/lib/mingle/keys.json"' >> /etc/mingle/mingle.toml
systemctl enable --now mingle
is ActiveState active
mingle info
test "$(stat -c %U /var/lib/mingle/keys.json)" != root
mingle info | grep "^encryption  *on"
mingle keygen | mingle keys install -
systemctl reload mingle
mingle keys list
test "$(mingle keys list | wc -l)" = 2

# The watchdog is fed.
sleep 35
is ActiveState active
is NRestarts 0

# An upgrade restarts what runs.
before=$(systemctl show mingle --property MainPID --value)
dpkg --install /mingle.deb
is ActiveState active
test "$(systemctl show mingle --property MainPID --value)" != "$before"

# A stop is a goodbye.
systemctl stop mingle
is Result success
journalctl --unit mingle --no-pager | tail -30
journalctl --unit mingle --no-pager | grep -c "left confirmed" | grep -x 2

# What may pass is tried again: somebody else has the port, until he goes.
perl -MIO::Socket::INET -e '$| = 1; my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:7374", Listen => 1) or die; print "listening\n"; sleep 60' > /port.log &
holder=$!
until grep -q listening /port.log; do kill -0 $holder; sleep 0.1; done
systemctl start mingle && exit 1
kill $holder
for _ in $(seq 300); do test "$(systemctl show mingle --property ActiveState --value)" = active && break; sleep 0.1; done
is ActiveState active
mingle info
systemctl stop mingle
systemctl reset-failed mingle || true # unless it is unloaded already

# Wrong settings are told, and not tried again.
echo 'nonsense = 1' >> /etc/mingle/mingle.toml
if systemctl start mingle; then exit 1; fi
sleep 3
is ActiveState failed
is NRestarts 0

dpkg --purge mingle
test ! -e /var/lib/mingle
test ! -e /var/lib/private/mingle
test ! -e /etc/mingle
test ! -e /etc/systemd/system/multi-user.target.wants/mingle.service
echo all is well
