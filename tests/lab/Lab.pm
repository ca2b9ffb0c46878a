# What the lab's commands share: where a lab lives, what its hosts are doing, how to start, break and mend them.
# Needs nothing that is not in Debian's perl-base.
package Lab;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use IO::Socket::INET;
use POSIX qw(setsid _exit S_ISDIR);
use Time::HiRes qw(time);

our @EXPORT = qw(
    $here $base $lab $dir $port @hosts %host
    refuse run slurp spill alive init_state snapshot parallel wait_for enter_command
    lock_lab prepare install boot kill_host freeze thaw heal banner healthy workers_state settle
    set_title clear_titles kill_sessions kill_listener start_sshd mute unmute fill_disk free_disk timer stop_timers
    mounted configured web_pid note_progress ssh_files ssh_keys common_config boot_all set_web stop_web well pristine restore clean condition listing files
);

our $here = abs_path(dirname(__FILE__));
our $base = '/var/lib/runbook-lab';
our $lab = $ENV{LAB} || 'demo';
our $dir = "$base/$lab";
our $port = recorded_port() || $ENV{LAB_SSH_PORT} || 2222;    # a lab that is up keeps its own
our (@hosts, %host);    # names in order; name => { name, address, roles, dir }

refuse("LAB=$lab: a lab's name is made of a-z, 0-9 and -") unless $lab =~ /^[a-z0-9][a-z0-9-]{0,30}$/;
refuse("LAB_SSH_PORT=$port: not a port") unless $port =~ /^\d+$/ && $port > 0 && $port < 65536;
refuse('needs root: it makes namespaces and mounts') if $>;
$ENV{PATH} = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
delete @ENV{qw(BASH_ENV ENV CDPATH)};
umask 022;
$| = 1;

sub recorded_port { return (slurp("$dir/env") // '') =~ /LAB_SSH_PORT=(\d+)/ ? "$1" : 0 }

sub refuse { print STDERR "lab $lab: @_\n"; exit 2 }

# Every lab has addresses of its own, so that labs can be up side by side.
sub block {
    return '127.77.0' if $lab eq 'demo';
    return '127.77.' . (10 + $1) if $lab =~ /^t(\d)$/;
    my $hash = 0;
    $hash = ($hash * 33 + ord) % 65521 for split //, $lab;
    return '127.78.' . $hash % 255;
}

{
    open my $in, '<', "$here/hosts" or die "$here/hosts: $!\n";
    while (<$in>) {
        s/#.*//;
        my ($name, $octet, @roles) = split or next;
        $host{$name} = {
            name => $name, address => block() . ".$octet", dir => "$dir/hosts/$name",
            roles => { map { $_ => 1 } @roles },
        };
        push @hosts, $name;
    }
}

# --- small things ---

sub run {
    system(@_) == 0 or die "failed: @_\n";
}

sub slurp {
    my ($file) = @_;
    open my $in, '<', $file or return;
    local $/;
    return scalar <$in>;
}

# Whether a folder holds anything.
sub any { my (@found) = glob "$_[0]/*"; return @found > 0 }

# Whole or not at all: the hosts read these files at any moment.
sub spill {
    my ($file, $text, $mode) = @_;
    open my $out, '>', "$file.new$$" or die "$file: $!\n";
    chmod $mode // 0644, "$file.new$$";
    print $out $text;
    close $out or die "$file: $!\n";
    rename "$file.new$$", $file or die "$file: $!\n";
}

sub note_progress { print STDERR "lab $lab: @_\n" }

sub wait_for {
    my ($what, $seconds, $test) = @_;
    my $deadline = time + $seconds;
    my $nap = 0.004;
    until ($test->()) {
        die "$what: not so after $seconds seconds\n" if time > $deadline;
        select undef, undef, undef, $nap;
        $nap *= 1.5 if $nap < 0.05;
    }
}

# One child a host; dies with what all of them complained about.
sub parallel {
    my ($work, @names) = @_;
    return unless @names;
    return $work->($names[0]) if @names == 1;
    my %pid;
    for my $name (@names) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            eval { $work->($name); 1 } and _exit(0);
            print STDERR "lab $lab: $name: $@";
            _exit(1);
        }
        $pid{$pid} = $name;
    }
    my @bad;
    while (%pid) {
        my $pid = waitpid -1, 0;
        last if $pid < 0;
        my $name = delete $pid{$pid} // next;
        push @bad, $name if $?;
    }
    die "failed on @bad\n" if @bad;
}

# The lock is the lab's own folder, so that nothing is left when the lab has gone.
sub lock_lab {
    my ($create) = @_;
    while (1) {
        if ($create) { mkdir $base; mkdir $dir }
        open my $handle, '<', $dir or return;
        flock $handle, LOCK_EX or die "$dir: $!\n";
        my @now = stat $dir;
        return $handle if @now && $now[1] == (stat $handle)[1];
    }
}

# --- what is ---

sub stat_of {
    my ($pid) = @_;
    my $line = slurp("/proc/$pid/stat") // return;
    my @f = split ' ', $line =~ s/^.*\)//sr;
    return { state => $f[0], parent => $f[1], start => $f[19] };
}

# The machine's number of a host's process 1, if the host is running.
sub alive {
    my ($h) = @_;
    my ($pid, $start) = split ' ', slurp("$h->{dir}/pid") // '';
    return 0 unless $start;
    my $stat = stat_of($pid) or return 0;
    return $stat->{start} == $start && $stat->{state} !~ /[ZX]/ ? $pid : 0;
}

sub init_state {
    my ($h) = @_;
    my $pid = alive($h) or return 'down';
    return stat_of($pid)->{state} eq 'T' ? 'frozen' : 'up';
}

# Every process of the hosts named: name => [ { pid (the machine's), inner (the host's), parent, state, args } ].
sub snapshot {
    my (@names) = @_;
    my (%of, %found);
    for my $name (@names) {
        $found{$name} = [];
        my $init = alive($host{$name}) or next;
        my $space = readlink "/proc/$init/ns/pid" or next;
        $of{$space} = $name;
    }
    opendir my $proc, '/proc' or die "/proc: $!\n";
    for my $pid (grep { /^\d+$/ } readdir $proc) {
        my $name = $of{ readlink("/proc/$pid/ns/pid") // next } // next;
        my $status = slurp("/proc/$pid/status") // next;
        my $args = slurp("/proc/$pid/cmdline") // next;
        $args =~ s/\0+\z//;
        $args =~ tr/\0/ /;
        push @{ $found{$name} }, {
            pid => $pid, args => $args,
            inner => $status =~ /^NSpid:.*\s(\d+)$/m ? "$1" : 0,
            parent => $status =~ /^PPid:\s+(\d+)/m ? "$1" : 0,
            state => $status =~ /^State:\s+(\S)/m ? "$1" : '?',
        };
    }
    return \%found;
}

sub processes { my ($h) = @_; return @{ snapshot($h->{name})->{ $h->{name} } } }

sub by_pidfile {
    my ($file, $like, @processes) = @_;
    my $inner = slurp($file) // return;
    $inner =~ /^(\d+)/ or return;
    my $wanted = $1;
    my ($found) = grep { $_->{inner} == $wanted && $_->{args} =~ $like && $_->{state} !~ /[ZX]/ } @processes;
    return $found;
}

sub inside { my ($h, $path) = @_; return '/proc/' . alive($h) . "/root$path" }

sub listener { my ($h, @p) = @_; return by_pidfile(inside($h, '/run/sshd.pid'), qr/sshd/, @p) }
sub manager { my ($h, @p) = @_; return by_pidfile("$h->{dir}/dreamwidth/var/worker-manager.pid", qr/worker-manager/, @p) }
sub web_pid { my ($h, @p) = @_; return by_pidfile(inside($h, '/run/apache2/apache2.pid'), qr/apache2/, @p) }
sub session { return $_[0]{args} =~ /^sshd(?:-session|-auth)?: / && $_[0]{args} !~ /\[listener\]/ }
sub importer { return $_[0]{args} =~ m{^(?:content-importer \[|/usr/bin/perl \S+/content-importer$)} }

sub banner {
    my ($h, $timeout) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $h->{address}, PeerPort => $port, Timeout => $timeout // 1) or return 0;
    my $ready = '';
    vec($ready, fileno $s, 1) = 1;
    return 0 unless select $ready, undef, undef, $timeout // 1;
    my $line;
    return sysread($s, $line, 64) && $line =~ m{^SSH-};
}

# What /admin/healthy says: ok, fail, or nothing at all.
sub healthy {
    my ($h) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => $h->{address}, PeerPort => 80, Timeout => 1) or return '';
    print $s "GET /admin/healthy HTTP/1.0\r\n\r\n";
    my $ready = '';
    vec($ready, fileno $s, 1) = 1;
    return '' unless select $ready, undef, undef, 2;
    my $reply = do { local $/; <$s> } // '';
    return $reply =~ /^status=(\w+)$/m ? $1 : '';
}

sub configured {
    my ($h) = @_;
    my ($section, %all, %own) = '';
    for (split /\n/, slurp("$h->{dir}/dreamwidth/etc/workers.conf") // '') {
        s/#.*//;
        if (/^([\w.-]+):\s*$/) { $section = $1 }
        elsif (/^\s+([\w.-]+):\s*(\d+)/) {
            $all{$1} = $2 if $section eq 'all';
            $own{$1} = $2 if $section eq $h->{name} && $2;
        }
    }
    return { %all, %own };
}

# '' when the workers are as configured and every importer is bored; otherwise what is not.
sub workers_state {
    my ($h, @p) = @_;
    my $manager = manager($h, @p) or return 'no worker-manager';
    my $want = configured($h);
    my %have;
    for my $p (grep { $_->{parent} == $manager->{pid} && $_->{state} ne 'Z' } @p) {
        my ($job) = importer($p) ? 'content-importer' : $p->{args} =~ m{/worker/([\w-]+)$};
        $have{ $job // '?' }++;
        return $p->{args} =~ /\[(.*)\]/ ? 'busy' : 'starting'
            if importer($p) && $p->{args} ne 'content-importer [bored]';
    }
    for my $job (sort keys %$want) {
        return "$job: " . ($have{$job} // 0) . " of $want->{$job}" if ($have{$job} // 0) != $want->{$job};
    }
    return '';
}

sub mounted {
    my ($path) = @_;
    my @a = stat $path or return 0;
    my @b = stat "$path/..";
    return $a[0] != $b[0];
}

# --- making hosts ---

sub install {
    my %package = (
        sshd => 'openssh-server', ssh => 'openssh-client', 'ssh-keygen' => 'openssh-client', sudo => 'sudo',
        ps => 'procps', unshare => 'util-linux', nsenter => 'util-linux', setsid => 'util-linux',
        mount => 'mount', hostname => 'hostname', perl => 'perl',
    );
    my $missing = sub {
        my %need;
        for my $program (keys %package) {
            $need{ $package{$program} } = 1 unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
        }
        my @need = sort keys %need;
        return @need;
    };
    $missing->() or return;
    mkdir $base;
    open my $lock, '<', $base or die "$base: $!\n";
    flock $lock, LOCK_EX;
    my @need = $missing->() or return;    # another lab may have been installing
    note_progress("installing @need");
    # The machine's own sshd is none of our business: installing it must not start it.
    my $policy = '/usr/sbin/policy-rc.d';
    my $ours = !-e $policy;
    spill($policy, "#!/bin/sh\nexit 101\n", 0755) if $ours;
    local $ENV{DEBIAN_FRONTEND} = 'noninteractive';
    my $log = "$dir/apt.log";
    my $ok = system("apt-get -q update > '$log' 2>&1 && apt-get -q install -y --no-install-recommends @need >> '$log' 2>&1") == 0;
    unlink $policy if $ours;
    die "apt-get could not install @need: see $log\n" unless $ok;
}

# The files a role's folder lays down, as path => [text, mode].
sub fixtures {
    my ($h) = @_;
    my %file;
    for my $tree ('every', sort keys %{ $h->{roles} }) {
        my @todo = '';
        while (defined(my $at = shift @todo)) {
            opendir my $d, "$here/host/$tree$at" or next;
            for my $entry (grep { !/^\.\.?$/ } readdir $d) {
                my $path = "$here/host/$tree$at/$entry";
                if (-d $path) { push @todo, "$at/$entry"; next }
                my $text = slurp($path);
                $text =~ s/\@PORT\@/$port/g, $text =~ s/\@ADDRESS\@/$h->{address}/g if $entry eq 'sshd_config';
                $file{"$at/$entry"} = [$text, -x $path ? 0755 : 0644];
            }
        }
    }
    $file{'/etc/sudoers.d/ops'}[1] = 0440;
    if ($h->{roles}{workers}) {
        my $idle = delete $file{'/dreamwidth/bin/worker/idle'};
        # Every job that some host is configured to run.
        my %job = map { $_ => 1 } $file{'/dreamwidth/etc/workers.conf'}[0] =~ /^\s+([\w-]+):\s*\d/mg;
        $file{"/dreamwidth/bin/worker/$_"} //= $idle for keys %job;
        # The real one is 5; tests are in more of a hurry.
        $file{'/dreamwidth/etc/worker-manager.interval'} = ["1\n", 0644];
    }
    my $key = slurp("$dir/id_ed25519.pub");
    $file{"$_/.ssh/authorized_keys"} = [$key, 0600] for '/root', '/home/ops', '/home/nosudo';
    return \%file;
}

my %account = (ops => 1500, nosudo => 1501);

sub make_path {
    my ($path) = @_;
    my $at = '';
    for (grep { length } split m{/}, $path) { $at .= "/$_"; mkdir $at, 0755 }
}

# Where a host's path is kept on the machine.
sub place {
    my ($h, $path) = @_;
    return "$h->{dir}$path" if $path =~ m{^/dreamwidth/};
    return "$h->{dir}/disk$path" if $path =~ m{^/(?:root|home)/};
    return "$h->{dir}/disk/upper$path";
}

sub prepare {
    my ($name) = @_;
    my $h = $host{$name};
    my $d = $h->{dir};
    make_path("$d/$_") for qw(disk mnt log/apache2 dreamwidth/var ctl timers);
    chmod 0777, "$d/ctl";
    unless (mounted("$d/disk")) {
        run('mount', '-t', 'tmpfs', '-o', 'size=32m,mode=755', "lab-$lab-$name", "$d/disk");
    }
    return if -e "$d/disk/ready";
    make_path("$d/disk/$_") for qw(upper/etc/ssh upper/dreamwidth upper/root upper/home upper/var work root home tmp var-tmp);
    chmod 0700, "$d/disk/root";
    chmod 01777, "$d/disk/tmp", "$d/disk/var-tmp";
    my $etc = "$d/disk/upper/etc";
    # The machine's system accounts (sshd needs its own), and ours. '*' is no password; '!' would be a locked account.
    my (@passwd, @shadow, @group);
    for (split /\n/, slurp('/etc/passwd')) {
        my ($user, undef, $uid) = split /:/;
        next if $uid >= 1000 && $uid != 65534;
        s{:[^:]*$}{:/bin/bash} if $user eq 'root';
        s{:[^:]*:([^:]*)$}{:/root:$1} if $user eq 'root';
        push @passwd, $_;
        push @shadow, "$user:*:19000:0:99999:7:::";
    }
    @group = grep { (split /:/)[2] < 1000 || /^nogroup:/ } split /\n/, slurp('/etc/group');
    for my $user (sort keys %account) {
        push @passwd, "$user:x:$account{$user}:$account{$user}::/home/$user:/bin/bash";
        push @shadow, "$user:*:19000:0:99999:7:::";
        push @group, "$user:x:$account{$user}:";
    }
    spill("$etc/passwd", join("\n", @passwd, ''));
    spill("$etc/group", join("\n", @group, ''));
    spill("$etc/shadow", join("\n", @shadow, ''), 0640);
    chown 0, (getgrnam('shadow') // 0), "$etc/shadow";
    spill("$etc/hostname", "$name\n");
    spill("$etc/hosts", join '', "127.0.0.1\tlocalhost\n", map { "$host{$_}{address}\t$_\n" } @hosts);
    unlink glob "$etc/ssh/ssh_host_ed25519_key*";
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', "root\@$name", '-f', "$etc/ssh/ssh_host_ed25519_key");
    lay($h, \&place);
    for my $user (keys %account) {
        run('chown', '-R', "$account{$user}:$account{$user}", "$d/disk/home/$user");
        chmod 0700, "$d/disk/home/$user", "$d/disk/home/$user/.ssh";
    }
    chmod 0700, "$d/disk/root/.ssh";
    spill($_, '') for logs($h);
    spill("$d/upper.baseline", join "\n", tree("$d/disk/upper"), '');
    spill("$d/disk/ready", '');
}

# Writes the fixtures that are not as they should be.
sub lay {
    my ($h, $place) = @_;
    my $fixtures = fixtures($h);
    for my $path (keys %$fixtures) {
        my ($text, $mode) = @{ $fixtures->{$path} };
        my $at = $place->($h, $path);
        my @stat = lstat $at;
        next if @stat && -f _ && ($stat[2] & 07777) == $mode && (slurp($at) // '') eq $text;
        make_path(dirname($at));
        my ($uid) = map { $account{$_} } grep { $path =~ m{^/home/\Q$_\E/} } keys %account;
        spill($at, $text, $mode);
        chown $uid, $uid, $at if $uid;
    }
}

# Every path below, relative, directories before what they hold.
sub tree {
    my ($top) = @_;
    my (@found, @todo);
    @todo = '';
    while (defined(my $at = shift @todo)) {
        opendir my $d, "$top$at" or next;
        for my $entry (sort grep { !/^\.\.?$/ } readdir $d) {
            push @found, "$at/$entry";
            push @todo, "$at/$entry" if -d "$top$at/$entry" && !-l "$top$at/$entry";
        }
    }
    return @found;
}

# Starts a host; it is there once its sshd answers.
sub boot {
    my ($h) = @_;
    my $d = $h->{dir};
    prepare($h->{name});
    unlink "$d/pid";
    spill("$d/boot_id", slurp('/proc/sys/kernel/random/uuid'));
    unlink "$d/dreamwidth/var/worker-manager.pid", glob "$d/ctl/importer.*";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        setsid();
        _exit(0) if fork;
        chdir '/';
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$d/console.log";
        open STDERR, '>&', \*STDOUT;
        %ENV = (PATH => $ENV{PATH});
        exec 'unshare', '--pid', '--fork', '--uts', '--ipc', '--mount', '/bin/sh', "$here/host/boot", $d, $h->{name}
            or _exit(127);
    }
    waitpid $pid, 0;
    eval { wait_for('sshd answering', 10, sub { alive($h) && banner($h) }); 1 } and return;
    my @log = split /\n/, slurp("$d/console.log") // '';
    die "does not start: " . ($log[-1] // 'no output') . " (see $d/console.log)\n";
}

sub hurry {
    my ($h, $seconds) = @_;
    spill("$h->{dir}/dreamwidth/etc/worker-manager.interval", "$seconds\n") if $h->{roles}{workers};
}

# Waits until the host's services are as they are at first.
sub settle {
    my ($h, $patience) = @_;
    if ($h->{roles}{workers}) {
        hurry($h, 0.02);
        my $last = '';
        eval {
            wait_for('workers', $patience // 20, sub {
                my @p = processes($h);
                my $manager = manager($h, @p);
                kill USR1 => $manager->{pid} if $manager;
                return ($last = workers_state($h, @p)) eq '';
            });
            1;
        } or do { hurry($h, 1); die "the workers are not as configured: $last\n" };
        hurry($h, 1);
    }
    wait_for('apache answering status=ok', 10, sub { healthy($h) eq 'ok' }) if $h->{roles}{web};
}

sub boot_all {
    my (@names) = @_;
    parallel(sub {
        my $h = $host{ $_[0] };
        prepare($h->{name});
        hurry($h, 0.02);
        boot($h);
        settle($h);
    }, @names);
}

# --- breaking and mending ---

sub enter_command {
    my ($h, @command) = @_;
    my $pid = alive($h) or die "$h->{name} is down\n";
    return ('nsenter', '-t', $pid, '-m', '-u', '-i', '-p', '--', 'env', '-i', '--chdir=/root', "PATH=$ENV{PATH}:/root/bin", 'HOME=/root',
        'USER=root', 'LOGNAME=root', 'SHELL=/bin/bash', 'LANG=C.UTF-8', @command);
}

# Runs a program on the host that leaves a daemon there.
sub start_inside {
    my ($h, @command) = @_;
    my @enter = enter_command($h, @command);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$h->{dir}/console.log";
        open STDERR, '>&', \*STDOUT;
        exec @enter or _exit(127);
    }
    waitpid $pid, 0;
    die "@command: exit status " . ($? >> 8) . ", see $h->{dir}/console.log\n" if $?;
}

sub kill_all {
    my ($h, $which, $signal) = @_;
    wait_for('processes gone', 10, sub {
        my @left = grep { $_->{state} ne 'Z' && $which->($_) } processes($h) or return 1;
        kill $signal // 'KILL', map { $_->{pid} } @left;
        return 0;
    });
}

sub kill_host {
    my ($h, $timer) = @_;
    stop_timers($h) unless $timer;
    my $pid = alive($h) or return;
    my $keeper = stat_of($pid)->{parent};    # the unshare that waits for it
    my $space = readlink "/proc/$pid/ns/pid";
    kill KILL => $pid;
    wait_for('host gone', 10, sub {
        my $stat = stat_of($pid);
        return (!$stat || $stat->{state} =~ /[ZX]/) && ($keeper <= 1 || !-e "/proc/$keeper/ns" || gone($keeper));
    });
    unlink "$h->{dir}/pid";
}

sub gone {
    my ($pid) = @_;
    my $stat = stat_of($pid) or return 1;
    return $stat->{state} =~ /[ZX]/;
}

sub freeze {
    my ($h) = @_;
    kill STOP => alive($h);
    wait_for('host frozen', 10, sub {
        my @running = grep { $_->{state} !~ /[TZ]/ } processes($h) or return 1;
        kill STOP => map { $_->{pid} } @running;
        return 0;
    });
}

sub thaw {
    my ($h) = @_;
    wait_for('host thawed', 10, sub {
        my @stopped = grep { $_->{state} eq 'T' } processes($h) or return 1;
        kill CONT => map { $_->{pid} } @stopped;
        return 0;
    });
}

sub kill_sessions {
    my ($h) = @_;
    my %now = map { $_->{pid} => 1 } grep { session($_) } processes($h);
    kill_all($h, sub { $now{ $_[0]{pid} } });
}

sub kill_listener {
    my ($h) = @_;
    my $listener = listener($h, processes($h)) or return;
    kill KILL => $listener->{pid};
    unlink inside($h, '/run/sshd.pid');
    wait_for('sshd gone', 5, sub { gone($listener->{pid}) });
}

sub start_sshd {
    my ($h) = @_;
    return if listener($h, processes($h));
    start_inside($h, '/usr/sbin/sshd');
    wait_for('sshd answering', 5, sub { banner($h) });
}

# A host without a syslog: the socket is not where programs look for it. Under another name it is still its init's.
sub mute {
    my ($h) = @_;
    my $log = inside($h, '/dev/log');
    -e "$log.lab" or rename $log, "$log.lab" or die "/dev/log: $!\n";
}

# Also over the socket of another that took its place.
sub unmute {
    my ($h) = @_;
    my $log = inside($h, '/dev/log');
    return if !-e "$log.lab";
    rename "$log.lab", $log or die "/dev/log: $!\n";
}

sub fill_disk {
    my ($h) = @_;
    spill("$h->{dir}/full", '');
    # The file system shrinks to what is on it: no file of ours is there to be found or deleted.
    for (1 .. 20) {
        my ($used) = (split /\n/, `df -k --output=used $h->{dir}/disk`)[1] =~ /(\d+)/;
        return if system("mount -o remount,size=${used}k $h->{dir}/disk 2>/dev/null") == 0;
    }
    die "could not fill the disk\n";
}

sub free_disk {
    my ($h) = @_;
    return unless -e "$h->{dir}/full";
    run('mount', '-o', 'remount,size=32m', "$h->{dir}/disk");
    unlink "$h->{dir}/full";
}

sub importers {
    my ($h, @p) = @_;
    my $manager = manager($h, @p) or return;
    return sort { $a->{inner} <=> $b->{inner} } grep { importer($_) && $_->{parent} == $manager->{pid} && $_->{state} ne 'Z' } @p;
}

# Gives a bored importer something to do.
sub set_title {
    my ($h, $what, $until, $title) = @_;
    my $chosen;
    wait_for('a bored importer', 10, sub {
        ($chosen) = grep { $_->{args} eq 'content-importer [bored]' } importers($h, processes($h));
        return $chosen;
    });
    spill("$h->{dir}/ctl/importer.$chosen->{inner}", "$what\n$until\n$title\n");
    wait_for('the title shown', 5, sub {
        kill USR1 => $chosen->{pid};
        my ($now) = grep { $_->{pid} == $chosen->{pid} } processes($h);
        return !$now || $now->{args} ne 'content-importer [bored]';
    });
}

sub clear_titles {
    my ($h) = @_;
    unlink "$h->{dir}/ctl/next-importer", glob "$h->{dir}/ctl/importer.*";
    wait_for('bored importers', 10, sub {
        my @busy = grep { importer($_) && $_->{state} ne 'Z' && $_->{args} ne 'content-importer [bored]' } processes($h) or return 1;
        kill USR1 => map { $_->{pid} } @busy;
        return 0;
    });
}

# Does something later, from a process of its own that the next heal ends.
sub timer {
    my ($h, $seconds, $work) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid) { waitpid $pid, 0; return }
    setsid();
    my $timer = fork // _exit(1);
    if ($timer) { spill("$h->{dir}/timers/$timer", stat_of($timer)->{start}); _exit(0) }
    chdir '/';
    $0 = "lab $lab: timer for $h->{name}";
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$h->{dir}/console.log";
    open STDERR, '>&', \*STDOUT;
    POSIX::close($_) for 3 .. 63;    # the lab's lock among them
    select undef, undef, undef, $seconds;
    eval { $work->(); 1 } or print $@;
    unlink "$h->{dir}/timers/$$";
    _exit(0);
}

sub stop_timers {
    my ($h) = @_;
    for my $file (glob "$h->{dir}/timers/*") {
        my ($pid) = $file =~ /(\d+)$/ or next;
        my $stat = stat_of($pid);
        kill KILL => $pid if $stat && $stat->{start} == (slurp($file) // 0);
        unlink $file;
    }
}

sub set_web {
    my ($h, $state) = @_;
    spill("$h->{dir}/ctl/web", "$state\n");
    my $web = web_pid($h, processes($h)) or return;
    kill USR1 => $web->{pid};
    wait_for('status=fail', 5, sub { healthy($h) eq 'fail' }) if $state eq 'sick';
}

sub stop_web {
    my ($h) = @_;
    kill_all($h, sub { $_[0]{args} =~ m{^/usr/sbin/apache2|^/usr/bin/perl /usr/sbin/apache2} });
    unlink inside($h, '/run/apache2/apache2.pid');
}

sub well {
    my ($h) = @_;
    unlink "$h->{dir}/ctl/web";
    if (!web_pid($h, processes($h))) {
        stop_web($h);
        start_inside($h, '/usr/sbin/apache2', '-k', 'start');
    }
    wait_for('status=ok', 5, sub { healthy($h) eq 'ok' });
}

# Undoes every fault.
sub heal {
    my ($h) = @_;
    stop_timers($h);
    unlink map { "$h->{dir}/ctl/$_" } qw(slow web next-importer);
    free_disk($h);
    hurry($h, 0.02);
    if (alive($h)) { thaw($h) } else { boot($h) }
    unmute($h);
    start_sshd($h);
    well($h) if $h->{roles}{web};
    return unless $h->{roles}{workers};
    clear_titles($h);
    if (manager($h, processes($h))) {
        # One that is stopping does not settle; a new one does.
        eval { settle($h, 2); 1 } and return;
    }
    restart_workers($h);
}

sub restart_workers {
    my ($h) = @_;
    kill_all($h, sub { $_[0]{args} =~ m{^/usr/bin/perl /dreamwidth/bin/worker|^/usr/bin/perl /dreamwidth/bin/worker-manager} || importer($_[0]) });
    unlink "$h->{dir}/dreamwidth/var/worker-manager.pid", glob "$h->{dir}/ctl/importer.*";
    hurry($h, 0.02);
    start_inside($h, '/dreamwidth/bin/worker-manager');
    settle($h);
}

# What a host in its first state runs; sshd's sessions are nobody's business.
sub strays {
    my ($h, @p) = @_;
    my %parent = map { $_->{pid} => $_->{parent} } @p;
    my %keep = map { $_->{pid} => 1 } grep { $_ } listener($h, @p), manager($h, @p), web_pid($h, @p);
    return grep {
        my $p = $_;
        !($p->{inner} == 1 || $keep{ $p->{pid} } || $keep{ $p->{parent} } || session($p) || $p->{state} =~ /[ZX]/);
    } @p;
}

# Whether nothing but files needs to be put right.
sub pristine {
    my ($name, @p) = @_;
    my $h = $host{$name};
    return '' if !@p || -e "$h->{dir}/full" || any("$h->{dir}/timers") || any("$h->{dir}/ctl");
    return '' if grep { $_->{state} eq 'T' } @p;
    return '' if -e inside($h, '/dev/log.lab');
    return '' if !listener($h, @p) || strays($h, @p);
    return '' if $h->{roles}{workers} && workers_state($h, @p) ne '';
    return '' if $h->{roles}{web} && (!web_pid($h, @p) || healthy($h) ne 'ok');
    return 1;
}

sub restore {
    my ($name) = @_;
    my $h = $host{$name};
    lay_again($h) if alive($h) && !-e "$h->{dir}/full" && init_state($h) eq 'up';
    stop_strays($h) if alive($h);
    heal($h);
    stop_strays($h);
}

sub stop_strays {
    my ($h) = @_;
    wait_for('stray processes gone', 10, sub {
        my @left = strays($h, processes($h)) or return 1;
        kill KILL => map { $_->{pid} } @left;
        return 0;
    });
}

sub lay_again {
    my ($h) = @_;
    lay($h, sub { inside($h, $_[1]) });
}

# The logs that are there from the start, if empty.
sub logs {
    my ($h) = @_;
    return map { "$h->{dir}/log/$_" } 'syslog', $h->{roles}{workers} ? 'dw-workers.log' : (),
        $h->{roles}{web} ? qw(dw-restarts.log apache2/error.log) : ();
}

# Gives a host the machine's own file back where it has another, or none: removing its own would hide the machine's.
sub uncover {
    my ($h, $path, $root) = @_;
    my @machine = lstat $path;
    my @own = lstat "$h->{dir}/disk/upper$path" or return;
    return if S_ISDIR($machine[2]) && S_ISDIR($own[2]);
    # size, mode, owner, time: what `cp -a` has already made so
    return if !grep { $machine[$_] ne $own[$_] } 2, 4, 5, 7, 9;
    run('rm', '-rf', '--', "$root$path");
    run('cp', '-a', '--', $path, "$root$path");
}

# Removes what is not of the lab's making. The paths are the host's own view, through its process 1.
sub clean {
    my ($name) = @_;
    my $h = $host{$name};
    my $root = inside($h, '');
    my %keep = map { $_ => 1 } keys %{ fixtures($h) };
    my %has;    # the folders that fixtures are in
    for my $path (keys %keep) { $has{$path} = 1 while $path =~ s{/[^/]*$}{} && length $path }
    $keep{$_} = 1 for '/home/ops', '/home/nosudo', '/dreamwidth/var/worker-manager.pid', '/run/sshd', '/run/sshd.pid',
        '/run/lab', '/run/lock', '/run/apache2', '/run/utmp';
    my @doomed;
    my @todo = qw(/root /home /home/ops /home/nosudo /tmp /var/tmp /dev/shm /run /run/lock /dreamwidth /dreamwidth/var);
    while (defined(my $at = shift @todo)) {
        opendir my $d, "$root$at" or next;
        for my $entry (grep { !/^\.\.?$/ } readdir $d) {
            my $path = "$at/$entry";
            if ($has{$path}) { push @todo, $path if $path !~ m{^/home/[^/]+$} }
            elsif (!$keep{$path} && $path ne '/dreamwidth/var') { push @doomed, "$root$path" }
        }
    }
    my %first = map { $_ => 1 } split /\n/, slurp("$h->{dir}/upper.baseline") // '';
    for my $path (tree("$h->{dir}/disk/upper")) {
        next if $first{$path} || $path =~ m{^/(?:dev|proc|sys|run|root|home|tmp)(?:/|$)};
        if (lstat $path) { uncover($h, $path, $root) } else { push @doomed, "$root$path" }
    }
    my %log = map { $_ => 1 } logs($h);
    push @doomed, grep { !$log{$_} && !-d } glob "$h->{dir}/log/* $h->{dir}/log/apache2/*";
    system('rm', '-rf', '--', @doomed) if @doomed;
    -s and truncate $_, 0 for keys %log;
    # a log that was turned is another file, with the mode of whoever made it
    for (keys %log) { -e or spill($_, ''); (stat)[2] & 07777 ^ 0644 and chmod 0644, $_ }
    lay_again($h);
}

# What runs on a host, but for what sshd and apache fork for a connection: its own number, start, command.
sub listing {
    my ($h) = @_;
    my @p = processes($h);
    my %parents = map { $_->{pid} => 1 } grep { $_ } listener($h, @p), web_pid($h, @p);
    my @lines;
    for my $p (sort { $a->{inner} <=> $b->{inner} } @p) {
        next if session($p) || $p->{state} =~ /[ZX]/ || $parents{ $p->{parent} };
        my $stat = stat_of($p->{pid}) or next;
        push @lines, "$p->{inner} $stat->{start} " . ($p->{args} =~ s/ \d+ of [\d-]+ startups\z//r);
    }
    return @lines;
}

# Every file that is a host's own, as the host names it, but for what every login and the lab itself write.
sub files {
    my ($h) = @_;
    my $root = inside($h, '');
    my %at = map { $_ => "$h->{dir}/disk$_" } qw(/root /home /tmp);
    %at = (%at, '/var/tmp' => "$h->{dir}/disk/var-tmp", '/var/log' => "$h->{dir}/log",
        '/dreamwidth' => "$h->{dir}/dreamwidth", '' => "$h->{dir}/disk/upper", map { $_ => "$root$_" } qw(/run /dev/shm));
    my (%line, @plain);
    for my $top (keys %at) {
        for my $path (tree($at{$top})) {
            my $name = "$top$path";
            next if $name =~ m{^/var/log/(?:auth\.log|[wb]tmp|lastlog|sudo.*)$|^/run/(?:lab|utmp|sudo)(?:/|$)|^/var/lib/(?:sudo|runbook-lab)(?:/|$)};
            next if $top eq '' && $name =~ m{^/(?:root|home|tmp|run|dev|proc|sys|dreamwidth|var/tmp|var/log)(?:/|$)};
            my @s = lstat "$at{$top}$path" or next;
            my $line = sprintf '%s %06o %d:%d', $name, @s[2, 4, 5];
            if (-f _) { push @plain, [$name, "$at{$top}$path"]; $line .= sprintf ' %d %.9f', $s[7], (Time::HiRes::lstat("$at{$top}$path"))[9] }
            elsif (-l _) { $line .= ' -> ' . readlink "$at{$top}$path" }
            $line{$name} = $line;
        }
    }
    while (my @some = splice @plain, 0, 200) {
        open my $sums, '-|', 'sha256sum', '-z', map { $_->[1] } @some or die "sha256sum: $!\n";
        local $/ = "\0";
        my %sum = map { /^(\S+)  (.*)\0/s ? ("$2" => "$1") : () } <$sums>;
        $line{ $_->[0] } .= ' ' . ($sum{ $_->[1] } // 'gone') for @some;
    }
    return map { $line{$_} } sort keys %line;
}

# In words, for people.
sub condition {
    my ($h, @p) = @_;
    my $state = init_state($h);
    return $state unless $state eq 'up';
    my @words;
    push @words, 'sshd down' unless listener($h, @p);
    push @words, 'disk full' if -e "$h->{dir}/full";
    push @words, 'slow by ' . slurp("$h->{dir}/ctl/slow") =~ s/\n//r . ' s' if -e "$h->{dir}/ctl/slow";
    push @words, 'a timer runs' if any("$h->{dir}/timers");
    if ($h->{roles}{workers}) {
        my $workers = workers_state($h, @p);
        push @words, $workers if $workers ne '' && $workers !~ /^(?:busy|starting)$/;
        push @words, map { $_->{args} =~ /\[(.*)\]/ ? "importer: $1" : 'importer: starting' }
            grep { $_->{args} ne 'content-importer [bored]' } importers($h, @p);
        push @words, 'busy after a restart' if -e "$h->{dir}/ctl/next-importer";
    }
    if ($h->{roles}{web}) {
        my $told = slurp("$h->{dir}/ctl/web") // '';
        chomp $told;
        push @words, !web_pid($h, @p) ? 'web down' : healthy($h) ne 'ok' ? 'sick' : ();
        push @words, $told if $told && $told ne 'sick';
    }
    return @words ? @words : 'up';
}

# --- what an operator's ssh and runbook need ---

sub ssh_files {
    my ($known, $config, $inventory) = ('', '', '');
    for my $name (@hosts) {
        my $h = $host{$name};
        my ($type, $key) = split ' ', slurp("$h->{dir}/disk/upper/etc/ssh/ssh_host_ed25519_key.pub");
        my $shown = $port == 22 ? $h->{address} : "[$h->{address}]:$port";
        $known .= "$shown $type $key\n";
        $config .= "Host $name $h->{address}\n    HostName $h->{address}\n\n";
        $inventory .= "  $name: { address: $h->{address}, port: $port, user: root }\n";
    }
    spill("$dir/known_hosts", $known);
    spill("$dir/ssh_config", "# made by tests/lab/up for the lab $lab\n\n$config" . common_config("$dir/known_hosts"));
    spill("$dir/inventory.yaml", "# made by tests/lab/up: the addresses of this lab, layered over runbooks/inventory.yaml\n"
        . "ssh_config: $dir/ssh_config\nhosts:\n$inventory");
    spill("$dir/env", "export LAB=$lab LAB_DIR=$dir LAB_SSH_PORT=$port\n");
}

sub ssh_keys {
    return if -e "$dir/id_ed25519.pub";
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', "lab $lab", '-f', "$dir/id_ed25519");
}

sub common_config {
    my ($known_hosts) = @_;
    return <<"END";
Host *
    User root
    Port $port
    IdentityFile $dir/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile $known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    UpdateHostKeys no
END
}

1;
