//! What a daemon tells and does, asked without the engine.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::World;

const DOCKER_SOCKET: &str = "/var/run/docker.sock";

pub(crate) struct Daemon {
    socket: String,
    pub(crate) is_podman: bool,
}

impl Daemon {
    /// None where the engine needs none.
    pub(crate) fn of(world: &World) -> Option<Self> {
        let podman = world.docker_host.as_deref();
        let podman = podman.and_then(|host| host.strip_prefix("unix://"));
        (world.engine.name() == "docker").then(|| Self {
            socket: podman.unwrap_or(DOCKER_SOCKET).to_owned(),
            is_podman: podman.is_some(),
        })
    }

    /// The status and the body, as they are.
    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.ask("GET", path, "")
    }

    pub(crate) fn inspect(&self, container: &str) -> Value {
        let (_, text) = self.get(&format!("/containers/{container}/json"));
        let start = text.iter().position(|byte| *byte == b'{').unwrap();
        let mut values = serde_json::Deserializer::from_slice(&text[start..]).into_iter();
        values.next().unwrap().unwrap()
    }

    /// Creates a container that is like another one.
    pub(crate) fn create_alike(&self, name: &str, other: &Value) {
        let mut body = other["Config"].clone();
        body["HostConfig"] = json!({
            "Mounts": other["HostConfig"]["Mounts"], "NetworkMode": "none",
            "LogConfig": { "Type": "json-file" },
        });
        if self.is_podman {
            // It tells them in other words than it takes them.
            body["HostConfig"]["Mounts"] = mounts(other);
            body["HostConfig"]["Ulimits"] = limits(other);
        }
        let path = format!("/containers/create?name={name}");
        let (status, said) = self.ask("POST", &path, &body.to_string());
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&said));
    }

    pub(crate) fn start(&self, name: &str) {
        let (status, said) = self.ask("POST", &format!("/containers/{name}/start"), "");
        assert_eq!(status, 204, "{}", String::from_utf8_lossy(&said));
    }

    /// A line to the container's standard input, on which nothing was sent yet.
    pub(crate) fn attach(&self, name: &str) -> UnixStream {
        let path = format!("/containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1");
        let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
        let mut line = self.send("POST", &path, "1.1", upgrade, "");
        // Head only: what follows is the container's.
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            line.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        line
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
        // The old version's answers come in one piece, up to the end of the line.
        let line = self.send(method, path, "1.0", "", body);
        let (mut reader, mut status) = (BufReader::new(line), String::new());
        reader.read_line(&mut status).unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        (status, rest)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        version: &str,
        headers: &str,
        body: &str,
    ) -> UnixStream {
        let mut line = UnixStream::connect(&self.socket).unwrap();
        let length = body.len();
        write!(
            line,
            "{method} /v1.41{path} HTTP/{version}\r\nHost: daemon\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        line
    }
}

fn mounts(container: &Value) -> Value {
    let mounts = container["Mounts"].as_array().unwrap();
    let mount = |mount: &Value| {
        json!({
            "Type": "bind", "Source": mount["Source"], "Target": mount["Destination"],
            "ReadOnly": !mount["RW"].as_bool().unwrap(),
        })
    };
    mounts.iter().map(mount).collect()
}

fn limits(container: &Value) -> Value {
    let limits = container["HostConfig"]["Ulimits"].as_array().unwrap();
    let limit = |limit: &Value| {
        let name = limit["Name"].as_str().unwrap();
        let name = name.trim_start_matches("RLIMIT_").to_lowercase();
        json!({ "Name": name, "Soft": limit["Soft"], "Hard": limit["Hard"] })
    };
    limits.iter().map(limit).collect()
}
