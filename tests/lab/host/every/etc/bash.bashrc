# Debian's bash reads this file for every command that sshd runs, also over a shared connection:
# here a slow host is slow.
[ -e /run/lab/slow ] && sleep "$(cat /run/lab/slow)"
return 0
