#!/bin/busybox sh
# The guest's first process: mounts what programs expect, then becomes the servant that does what the harness asks (resident.c).
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
echo 4 >/proc/sys/kernel/printk
stty -F /dev/ttyS0 raw -echo
export LD_PRELOAD=/lib/resident.so
exec ipvsadm </dev/ttyS0 >/dev/ttyS0
