"""What the tests of checkpoints do in a box.

churn.py ops SEED COUNT   does random things to files, the same for the same seed and tree
churn.py dump             writes a line for each file, with all that is known of it
"""
import hashlib, os, random, shutil, socket, stat, struct, sys

PLACES = ["/srv/p", "/opt/p", "/usr/share/doc", "/usr/share/perl5", "/etc/p", "/etc/skel", "/home/dev/p", "/var/lib/p"]
# What is a box's own, or changes by itself.
LEFT_OUT = ["/tmp", "/run", "/proc", "/sys", "/dev", "/work", "/var/log", "/var/lib/systemd", "/var/cache/ldconfig", "/etc/machine-id",
            "/etc/hostname", "/etc/hosts", "/etc/environment", "/etc/resolv.conf", "/etc/ssh/ssh_host_ed25519_key",
            "/etc/ssh/authorized_keys.d", "/var/lib/dbus", "/root/churn.py", "/var/lib/dhcp"]
# Folders that a new box's identity is written into.
TOUCHED = ["/var/tmp", "/etc", "/etc/ssh", "/root", "/", "/usr/local/share/ca-certificates", "/var/lib/dhcp"]


class Churn:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.n = seed * 100000
        for p in PLACES:
            os.makedirs(p, exist_ok=True)

    def all(self, want):
        found = []
        for place in [self.r.choice(PLACES)]:
            for top, dirs, files in os.walk(place):
                dirs.sort()
                found += [os.path.join(top, f) for f in sorted(dirs + files)]
                if len(found) > 3000:
                    break
        found = [f for f in found if want(os.lstat(f).st_mode)]
        return self.r.choice(sorted(found)) if found else None

    def dir(self):
        return self.all(stat.S_ISDIR) if self.r.random() < 0.7 else self.r.choice(PLACES)

    def file(self):
        return self.all(stat.S_ISREG)

    def new(self):
        self.n += 1
        weird = self.r.choice(["", " x", "\n", "\\", "\udcff", "ü", "-n", ".wh.", "'"])
        return os.path.join(self.dir() or "/srv/p", "%s%d" % (weird, self.n))

    def content(self):
        return self.r.randbytes(self.r.choice([0, 1, 100, 5000, 70000]))

    def op_create(self):
        with open(self.new(), "wb") as f:
            f.write(self.content())

    def op_append(self):
        f = self.file()
        if f:
            with open(f, "ab") as o:
                o.write(self.content())

    def op_same_size_and_mtime(self):
        f = self.file()
        if f and os.path.getsize(f):
            st = os.stat(f)
            with open(f, "r+b") as o:
                o.write(self.r.randbytes(1))
            os.utime(f, ns=(st.st_atime_ns, st.st_mtime_ns))

    def op_truncate(self):
        f = self.file()
        if f:
            os.truncate(f, self.r.randrange(0, 9000))

    def op_rename(self):
        f = self.all(lambda m: not stat.S_ISDIR(m))
        if f:
            os.rename(f, self.new())

    def op_rename_over(self):
        a, b = self.file(), self.file()
        if a and b and a != b:
            os.rename(a, b)

    def op_move_dir(self):
        d = self.dir()
        if d and d not in PLACES:
            to = self.new()
            if not to.startswith(d + "/"):
                shutil.move(d, to, copy_function=shutil.copy2)

    def op_link(self):
        f = self.all(lambda m: not stat.S_ISDIR(m))
        if f:
            os.link(f, self.new(), follow_symlinks=False)

    def op_symlink(self):
        os.symlink(self.r.choice(["/etc/passwd", "../../../../../../../../etc/shadow", "nowhere", "/srv/p", "x" * 300]), self.new())

    def op_chmod(self):
        f = self.all(lambda m: not stat.S_ISLNK(m))
        if f and f not in PLACES:
            os.chmod(f, self.r.choice([0o644, 0o600, 0o4755, 0o2755, 0o1777, 0o000]))

    def op_chown(self):
        f = self.all(lambda m: True)
        if f:
            os.lchown(f, self.r.choice([0, 1000, 33, 65534]), self.r.choice([0, 1000, 33]))

    def op_xattr(self):
        f = self.all(lambda m: stat.S_ISREG(m) or stat.S_ISDIR(m))
        if f:
            os.setxattr(f, "user.a%d" % self.r.randrange(3), self.r.randbytes(self.r.choice([0, 5, 900])))

    def op_fake_overlay_xattr(self):
        f = self.all(stat.S_ISDIR)
        if f:
            os.setxattr(f, "user.overlay.opaque", b"y")

    def op_setcap(self):
        f = self.file()
        if f:  # cap_net_raw+ep, revision 2
            os.setxattr(f, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))

    def op_acl(self):
        f = self.all(lambda m: stat.S_ISREG(m) or stat.S_ISDIR(m))
        if f:
            entries = [(1, 6, 0xFFFFFFFF), (2, 4, 33), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF)]
            acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries)
            os.setxattr(f, "system.posix_acl_access", acl)
            if os.path.isdir(f):
                os.setxattr(f, "system.posix_acl_default", acl)

    def op_remove(self):
        f = self.all(lambda m: not stat.S_ISDIR(m))
        if f:
            os.unlink(f)

    def op_remove_dir(self):
        d = self.dir()
        if d and d not in PLACES:
            shutil.rmtree(d)

    def op_opaque(self):
        d = self.dir()
        if d and d not in PLACES:
            shutil.rmtree(d)
            os.mkdir(d)
            with open(os.path.join(d, "new"), "w") as f:
                f.write("new")

    def op_file_to_dir(self):
        f = self.file()
        if f:
            os.unlink(f)
            os.makedirs(f + "/in/it")

    def op_dir_to_file(self):
        d = self.dir()
        if d and d not in PLACES:
            shutil.rmtree(d)
            with open(d, "w") as f:
                f.write("was a folder")

    def op_mkdir(self):
        os.makedirs(self.new() + "/a/b")

    def op_fifo(self):
        os.mkfifo(self.new())

    def op_socket(self):
        here = os.getcwd()
        path = self.new()
        os.chdir(os.path.dirname(path))
        s = socket.socket(socket.AF_UNIX)
        try:
            s.bind(os.path.basename(path))
        finally:
            s.close()
            os.chdir(here)

    def op_sparse(self):
        with open(self.new() + ".sparse", "wb") as f:
            f.seek(self.r.randrange(1, 64) << 20)
            f.write(b"end")
            if self.r.random() < 0.5:
                f.truncate(200 << 20)

    def op_times(self):
        f = self.all(lambda m: True)
        if f:
            os.utime(f, ns=(self.r.randrange(10**18), self.r.randrange(10**18)), follow_symlinks=False)

    def run(self, count):
        ops = sorted(o for o in dir(self) if o.startswith("op_"))
        for _ in range(count):
            op = self.r.choice(ops)
            try:
                getattr(self, op)()
            except OSError as e:  # a name that is too long, a path that is gone
                print(op, e, file=sys.stderr)


def dump():
    groups, lines = {}, []
    dev = os.lstat("/").st_dev
    for top, dirs, files in os.walk("/"):
        dirs[:] = sorted(d for d in dirs if os.path.join(top, d) not in LEFT_OUT and
                         (os.path.islink(os.path.join(top, d)) or os.lstat(os.path.join(top, d)).st_dev == dev))
        for name in sorted(dirs + files) + ([""] if top == "/" else []):
            path = os.path.join(top, name)
            if path in LEFT_OUT or path.startswith("/var/tmp/systemd-private-"):
                continue
            st = os.lstat(path)
            out = [repr(path), "%o" % st.st_mode, "%d:%d" % (st.st_uid, st.st_gid)]
            if path not in TOUCHED:
                out.append("mtime=%d" % st.st_mtime_ns)
            if not stat.S_ISDIR(st.st_mode):
                out.append("size=%d links=%d rdev=%d" % (st.st_size, st.st_nlink, st.st_rdev))
                if st.st_nlink > 1:
                    out.append("as=%r" % groups.setdefault(st.st_ino, path))
            if stat.S_ISLNK(st.st_mode):
                out.append("-> %r" % os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                if path.endswith(".sparse"):
                    out.append("sparse=%s" % (st.st_blocks * 512 < st.st_size))
                if not path.startswith(("/etc/",) + tuple(PLACES)):
                    lines.append(" ".join(out))
                    continue
                h = hashlib.blake2b(digest_size=12)
                with open(path, "rb") as f:
                    while True:
                        b = f.read(1 << 20)
                        if not b:
                            break
                        h.update(b)
                out.append(h.hexdigest())
            for x in sorted(os.listxattr(path, follow_symlinks=False)):
                out.append("%s=%s" % (x, os.getxattr(path, x, follow_symlinks=False).hex()))
            lines.append(" ".join(out))
    sys.stdout.buffer.write("\n".join(sorted(lines)).encode("utf-8", "surrogateescape") + b"\n")


if sys.argv[1] == "ops":
    Churn(int(sys.argv[2])).run(int(sys.argv[3]))
else:
    dump()
