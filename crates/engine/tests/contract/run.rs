//! What a container sees and says.

use std::fs;
use std::time::Duration;

use engine::{Bind, Error, Reason, RunSpec, Stream, log_channel};
use tokio_util::sync::CancellationToken;

use crate::World;

pub(crate) async fn exit_code_is_the_programs(world: &World) {
    for code in [0, 1, 42, 255] {
        let outcome = world.run(world.script(&format!("exit {code}")).await).await;
        assert_eq!(
            (outcome.exit.code, outcome.exit.reason),
            (code, Reason::Exited)
        );
    }
}

pub(crate) async fn a_signal_gives_128_plus_its_number(world: &World) {
    // The child dies of SIGTERM, the shell reports it in the same notation.
    let outcome = world
        .run(world.script("sleep 60 & kill $!; wait $!").await)
        .await;
    assert_eq!(
        (outcome.exit.code, outcome.exit.reason),
        (128 + 15, Reason::Exited)
    );
}

pub(crate) async fn stdout_and_stderr_are_told_apart_and_live(world: &World) {
    let dir = world.dir.path().join("in");
    fs::create_dir(&dir).unwrap();
    // A pipe holds the program up between its lines: only live logs can bring us to write to it.
    let wait = "echo one; cat /in/gate; echo two >&2; cat /in/gate; echo three";
    let mut spec = world
        .script(&format!("mkfifo /in/gate 2>/dev/null; {wait}"))
        .await;
    std::process::Command::new("mkfifo")
        .arg(dir.join("gate"))
        .status()
        .unwrap();
    spec.binds = vec![Bind::writable(&dir, "/in")];
    let (logs, mut reader) = log_channel();
    let engine = world.engine.clone();
    let running =
        tokio::spawn(async move { engine.run(spec, logs, CancellationToken::new()).await });
    for (stream, text) in [
        (Stream::Stdout, "one\n"),
        (Stream::Stderr, "two\n"),
        (Stream::Stdout, "three\n"),
    ] {
        let chunk = reader.recv().await.unwrap();
        assert_eq!(
            (chunk.stream, chunk.bytes.as_ref()),
            (stream, text.as_bytes())
        );
        if text != "three\n" {
            tokio::fs::write(dir.join("gate"), "").await.unwrap();
        }
    }
    assert_eq!(running.await.unwrap().unwrap().code, 0);
    assert_eq!(reader.recv().await, None);
}

pub(crate) async fn logs_are_complete_when_the_run_returns(world: &World) {
    let outcome = world
        .run(world.script("head -c 300000 /dev/zero; echo end").await)
        .await;
    assert_eq!(outcome.stdout().len(), 300_004);
    assert_eq!(outcome.exit.log_bytes_dropped, 0);
}

pub(crate) async fn args_replace_cmd_and_keep_entrypoint(world: &World) {
    let mut image = world.busybox();
    image.entrypoint = vec!["echo".into(), "entry".into()];
    image.cmd = vec!["cmd".into()];
    assert_eq!(world.run_image(&image, &[]).await.stdout(), "entry cmd\n");
    assert_eq!(
        world
            .run_image(&image, &["my args", "$HOME"])
            .await
            .stdout(),
        "entry my args $HOME\n"
    );
    image.entrypoint = Vec::new();
    image.cmd = vec!["echo".into(), "only cmd".into()];
    assert_eq!(world.run_image(&image, &[]).await.stdout(), "only cmd\n");
}

pub(crate) async fn environment_is_the_images_and_ours_and_nothing_else(world: &World) {
    let mut image = world.busybox();
    image.entrypoint = vec!["env".into()];
    image.cmd = Vec::new();
    image
        .env
        .extend(["FROM_IMAGE=1".into(), "BOTH=image".into()]);
    let image = world.import(&image).await;
    let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
    spec.env = vec![
        ("BOTH".into(), "ours".into()),
        ("SPACE".into(), "a b=c".into()),
    ];
    let outcome = world.run(spec).await;
    let stdout = outcome.stdout();
    let mut names: Vec<_> = stdout
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    names.sort_unstable();
    for line in ["PATH=/bin", "FROM_IMAGE=1", "BOTH=ours", "SPACE=a b=c"] {
        assert!(
            stdout.lines().any(|found| found == line),
            "{line} in {stdout}"
        );
    }
    names.retain(|name| !["HOME", "HOSTNAME"].contains(name));
    assert_eq!(names, ["BOTH", "FROM_IMAGE", "PATH", "SPACE"]);
}

pub(crate) async fn working_directory_and_user_are_the_images(world: &World) {
    let mut image = world.busybox();
    image.workdir = "/made/for/it".into();
    for (user, expected) in [
        ("", "/made/for/it 0 0"),
        ("app", "/made/for/it 1000 1000"),
        ("1234:4321", "/made/for/it 1234 4321"),
        ("app:extra", "/made/for/it 1000 2000"),
    ] {
        image.user = user.into();
        let outcome = world
            .run_image(&image, &["echo $(pwd) $(id -u) $(id -g)"])
            .await;
        assert_eq!(
            outcome.stdout().trim(),
            expected,
            "user {user:?}: {}",
            outcome.stderr()
        );
    }
    image.user = "nobody-knows".into();
    let spec = RunSpec::new(
        world.name(),
        world.import(&image).await,
        Duration::from_secs(60),
    );
    let (logs, _reader) = log_channel();
    let error = world
        .engine
        .run(spec, logs, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
}

pub(crate) async fn binds_show_what_they_should_and_no_more(world: &World) {
    let (input, output) = (
        world.dir.path().join("input"),
        world.dir.path().join("output"),
    );
    fs::create_dir(&input).unwrap();
    fs::create_dir(&output).unwrap();
    fs::write(input.join("file"), "from the host").unwrap();
    let script = "cat /iexec_in/file > /iexec_out/copy; echo x > /iexec_in/new";
    let mut spec = world.script(script).await;
    spec.binds = vec![
        Bind::read_only(&input, "/iexec_in"),
        Bind::writable(&output, "/iexec_out"),
    ];
    let outcome = world.run(spec).await;
    assert_ne!(outcome.exit.code, 0);
    assert!(
        outcome.stderr().contains("Read-only"),
        "{}",
        outcome.stderr()
    );
    assert_eq!(
        fs::read_to_string(output.join("copy")).unwrap(),
        "from the host"
    );
    assert!(!input.join("new").exists());
}

pub(crate) async fn a_bind_behind_a_link_stays_inside(world: &World) {
    let (shared, victim) = (
        world.dir.path().join("shared"),
        world.dir.path().join("victim"),
    );
    fs::create_dir(&shared).unwrap();
    fs::create_dir(&victim).unwrap();
    let climb = format!("../../../../../../../../../..{}", victim.display());
    for target in [victim.to_str().unwrap(), &climb] {
        let image = world.busybox().with_link("/out", target);
        let image = world.import(&image).await;
        let mut spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
        spec.args = vec!["echo x > /out/sub/file".into()];
        spec.binds = vec![Bind::writable(&shared, "/out/sub")];
        let (logs, _reader) = log_channel();
        match world.engine.run(spec, logs, CancellationToken::new()).await {
            Ok(exit) => {
                assert_eq!(exit.code, 0);
                fs::remove_file(shared.join("file")).unwrap();
            }
            // The built-in engine does not follow a link that leads nowhere.
            Err(Error::CannotStart { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
    }
}

pub(crate) async fn a_missing_bind_is_an_error(world: &World) {
    let mut spec = world.script("true").await;
    spec.binds = vec![Bind::writable(world.dir.path().join("nowhere"), "/x")];
    let (logs, _reader) = log_channel();
    let error = world
        .engine
        .run(spec, logs, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error:?}");
}

pub(crate) async fn a_missing_executable_is_a_clear_error(world: &World) {
    let mut image = world.busybox();
    image.entrypoint = vec!["no-such-program".into()];
    let image = world.import(&image).await;
    let spec = RunSpec::new(world.name(), image, Duration::from_secs(60));
    let name = spec.name.clone();
    let (logs, mut reader) = log_channel();
    let error = world
        .engine
        .run(spec, logs, CancellationToken::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::CannotStart { .. }), "{error:?}");
    assert!(error.to_string().contains("no-such-program"), "{error}");
    assert_eq!(reader.recv().await, None);
    assert!(!world.exists(&name).await);
}

pub(crate) async fn nothing_written_survives_into_the_next_run(world: &World) {
    let script = "ls /tmp; touch /tmp/mark /bin/mark; rm /etc/release; ls /bin/mark";
    for _ in 0..2 {
        let outcome = world.run(world.script(script).await).await;
        assert_eq!(
            (outcome.exit.code, outcome.stdout().as_str()),
            (0, "/bin/mark\n")
        );
        assert_eq!(outcome.stderr(), "");
    }
}

pub(crate) async fn runs_of_one_image_do_not_meet(world: &World) {
    let script = "echo $$; ls /tmp; touch /tmp/mark; sleep 1; ls /tmp; hostname";
    let (one, two) = (world.script(script).await, world.script(script).await);
    let (one, two) = tokio::join!(world.run(one), world.run(two));
    for outcome in [one, two] {
        assert!(
            outcome.stdout().starts_with("1\nmark\n"),
            "{}",
            outcome.stdout()
        );
    }
}
