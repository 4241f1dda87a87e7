#!/bin/bash
# First process of the test machine's own namespaces: turns the folder $1 into a root and becomes systemd.
# $2: a folder of wheels, or nothing; $3: the clone.
set -eu
root=$1

# /proc and /run of its own, with a boot id of its own so that `journalctl -b` distinguishes boots
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,nodev,mode=755,size=256m tmpfs "$root/run"
cp /proc/sys/kernel/random/uuid "$root/run/boot_id"
mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"

# what would reach the kernel that all share is read-only
for knobs in sys irq bus sysrq-trigger; do
  [ -e "$root/proc/$knobs" ] || continue
  mount --rbind "$root/proc/$knobs" "$root/proc/$knobs"
  mount -o remount,bind,ro "$root/proc/$knobs"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"

# the few devices that every program expects
mount -t tmpfs -o nosuid,mode=755,size=4m tmpfs "$root/dev"
while read -r name major minor; do
  mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<'DEVICES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
DEVICES
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${number%:*}" "$root/dev/${number#*:}"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev,mode=1777,size=1g tmpfs "$root/tmp"

# what tests bring along: shown inside only if it is mounted from within
# (a clone in /tmp lies beneath the new /tmp, and another system's root has none)
[ -e "$root$3" ] || { mkdir -p "$root$3"; mount --bind "$3" "$root$3"; }
[ -z "$2" ] || { mkdir -p "$root/srv/wheels"; mount --bind "$2" "$root/srv/wheels"; }

cd "$root"
pivot_root . .
umount -l .
cd /
# services see what is mounted later, as on a real machine, where systemd makes the root shared by itself
mount --make-rshared /

drop=-sys_time,-sys_module,-sys_rawio,-syslog,-mac_admin,-mac_override
drop=$drop,-audit_control,-audit_read,-audit_write,-wake_alarm,-block_suspend
exec setpriv --bounding-set="$drop" env -i container=dogid-test LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin /lib/systemd/systemd --system --log-target=journal
