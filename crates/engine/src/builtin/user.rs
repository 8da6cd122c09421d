//! Who a container runs as: the image's `USER` looked up in the image's own files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

/// `/etc/passwd` of an image is a short text.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Numbers for the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<u32>,
}

/// Reads `user`, `user:group`, names or numbers, as Docker does. Empty means root.
///
/// The error is a sentence for `CannotStart`.
pub(super) fn lookup(root: &Path, user: &str) -> Result<User, String> {
    find(user, &read(root, "etc/passwd"), &read(root, "etc/group"))
}

/// A file as seen from inside the root; links cannot lead out of it. Empty when unreadable.
fn read(root: &Path, path: &str) -> String {
    let mut text = String::new();
    let opened = File::open(root).and_then(|root| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(File::from(openat2(
            root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?))
    });
    let read = opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text)
}

fn find(user: &str, passwd: &str, group: &str) -> Result<User, String> {
    let (user, wanted_group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let entry = lines(passwd).find(|fields| fields[0] == user || fields.get(2) == Some(&user));
    let number = |text: &str| text.parse::<u32>().ok();
    let field = |index: usize| entry.as_ref().and_then(|fields| number(fields.get(index)?));
    let uid = field(2)
        .or_else(|| number(user))
        .ok_or_else(|| format!("no user `{user}` in it"))?;
    let gid = match wanted_group {
        None => field(3).unwrap_or(0),
        Some(wanted) => lines(group)
            .find(|fields| fields[0] == wanted)
            .and_then(|fields| number(fields.get(2)?))
            .or_else(|| number(wanted))
            .ok_or_else(|| format!("no group `{wanted}` in it"))?,
    };
    let name = entry.as_ref().map_or(user, |fields| fields[0]);
    let member = |fields: &Vec<&str>| {
        fields
            .get(3)
            .is_some_and(|m| m.split(',').any(|m| m == name))
    };
    let groups = lines(group)
        .filter(member)
        .filter_map(|fields| number(fields.get(2)?));
    Ok(User {
        uid,
        gid,
        groups: groups.collect(),
    })
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\nextra:x:2000:other,app\n";

    #[test]
    fn names_and_numbers_are_found() {
        for (user, uid, gid, groups) in [
            ("", 0, 0, vec![]),
            ("root", 0, 0, vec![]),
            ("app", 1000, 1001, vec![2000]),
            ("1000", 1000, 1001, vec![2000]),
            ("app:extra", 1000, 2000, vec![2000]),
            ("7:8", 7, 8, vec![]),
            ("7", 7, 0, vec![]),
        ] {
            assert_eq!(
                find(user, PASSWD, GROUP),
                Ok(User { uid, gid, groups }),
                "{user}"
            );
        }
    }

    #[test]
    fn unknown_names_are_an_error_and_missing_files_are_not() {
        assert!(find("nobody", PASSWD, GROUP).is_err());
        assert!(find("app:nobody", PASSWD, GROUP).is_err());
        assert_eq!(
            find("5", "", ""),
            Ok(User {
                uid: 5,
                gid: 0,
                groups: vec![]
            })
        );
    }

    #[test]
    fn a_link_does_not_lead_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("outside"), "evil").unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::os::unix::fs::symlink("../../outside", root.join("etc/passwd")).unwrap();
        assert_eq!(read(&root, "etc/passwd"), "");
        std::fs::write(root.join("outside"), "inside").unwrap();
        assert_eq!(read(&root, "etc/passwd"), "inside");
    }
}
