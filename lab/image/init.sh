#!/bin/sh
# pid 1 of the lab's containers. SIGPWR is `lxc stop`, SIGINT is `lxc restart`.
trap 'exit 0' PWR INT TERM
ip link set lo up
sed "s/@HOSTNAME@/$(hostname)/g" /usr/share/page.html > /www/index.html
# Before the network: the site answers as soon as the address is there.
( sleep @WEB_DELAY_SECONDS@; exec httpd -f -p 80 -h /www ) &
if [ -d /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -f -t 10 -T 1 -A 1 -i eth0 -s /usr/share/udhcpc/default.script > /var/log/udhcpc.log 2>&1 &
fi
( while :; do setsid getty -n -l /bin/sh -L 0 console vt100; sleep 1; done ) &
while :; do
  sleep 3600 &
  wait $!
done
