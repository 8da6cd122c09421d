//! System calls that a container may not make, and all the others.

use std::path::Path;

use engine::Bind;

use crate::World;

pub(crate) async fn what_opens_the_walls_is_refused(world: &World) {
    let script = "grep Seccomp: /proc/self/status; \
        for call in 'unshare -U true' 'unshare -r true' 'unshare -n true' \
            'mount -t tmpfs none /tmp' 'umount /proc' 'chroot / true' 'swapon /etc/passwd' \
            'nsenter -t 1 -m true' 'pivot_root /tmp /tmp' 'hostname new'; do \
            /bin/busybox $call 2>/dev/null && echo \"$call is possible\"; \
        done; echo end";
    let mut image = world.busybox();
    for user in ["", "app"] {
        image.user = user.to_owned();
        let outcome = world.run_image(&image, &[script]).await;
        assert_eq!(outcome.stdout(), "Seccomp:\t2\nend\n", "user {user:?}");
    }
}

/// Those of the host: with threads, sockets, a just-in-time compiler.
pub(crate) async fn ordinary_programs_run(world: &World) {
    let perl = "perl -e 'print qx(echo perl), fork ? wait > 0 ? qq(forked\\n) : q() : exit'";
    let node = "new Worker(`require(\"worker_threads\").parentPort.postMessage(\"node\")`, \
        {eval: true}).on(\"message\", word => require(\"fs\").writeSync(1, word + \"\\n\"))";
    let node = format!("node -e 'const {{Worker}} = require(\"worker_threads\"); {node}'");
    for (program, script, expected) in [
        ("/usr/bin/perl", perl, "perl\nforked\n"),
        ("/usr/bin/node", node.as_str(), "node\n"),
    ] {
        // A machine for development has them; the engine needs neither.
        if !Path::new(program).exists() {
            continue;
        }
        let mut spec = world.script(&format!("PATH=/bin:/usr/bin; {script}")).await;
        let libraries = ["/usr", "/lib", "/lib64"].map(Path::new);
        let present = libraries.into_iter().filter(|path| path.exists());
        spec.binds = present.map(|path| Bind::read_only(path, path)).collect();
        let outcome = world.run(spec).await;
        assert_eq!(outcome.stdout(), expected, "{}", outcome.stderr());
    }
}
