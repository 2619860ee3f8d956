#!/bin/busybox sh
# The guest's first process: mounts what programs expect, then does what the harness asks, line by line.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
for word in $(cat /proc/cmdline); do
  case $word in mailbox=*) mount -t hostfs -o "${word#mailbox=}" none /mailbox ;; esac
done
echo 4 >/proc/sys/kernel/printk
stty -F /dev/ttyS0 raw -echo
exec 0</dev/ttyS0 1>/dev/ttyS0
# A shell of its own: busybox's prefers busybox's programs. A line is the name of a script in the mailbox; its outputs go beside it, its status comes back.
echo ready
while read -r name; do
  [ "$name" = halt ] && break
  dash "/mailbox/$name.sh" >"/mailbox/$name.stdout" 2>"/mailbox/$name.stderr" </dev/null
  echo "done $name $?"
done
poweroff -f
